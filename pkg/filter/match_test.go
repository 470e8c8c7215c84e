/*
Copyright 2026 The KubeVela Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package filter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"cuelang.org/go/cue/cuecontext"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// What is decided without CUE is decided as CUE decides it, and nothing that an
// event holds gets out.
func TestQuickAsCUE(t *testing.T) {
	g := &generator{rand.New(rand.NewPCG(7, 11))}
	events := []event.Event{
		{Type: "update", Data: g.event(1), Old: g.event(1)},
		{Type: "canary", Data: g.event(0)},
		{Type: "update", Data: g.event(0), Old: g.event(0)},
		{Data: map[string]any{"a": map[string]any{}}},
		{},
	}
	kinds := map[string]int{}
	for range 700 {
		expr := g.filter()
		quick, problems := Compile(expr, event.TriggerRef{Name: "t"})
		if problems != nil {
			kinds["refused"]++
			continue
		}
		slow, _ := Compile(expr, event.TriggerRef{Name: "t"})
		plain(slow)
		for i, ev := range events {
			got, gotErr := quick.Match(t.Context(), ev)
			want, wantErr := slow.Match(t.Context(), ev)
			if got.Match != want.Match || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
				t.Errorf("%s\nwith event %d %v\n got %+v, %v\nwant %+v, %v", expr, i, ev.Data, got, gotErr, want, wantErr)
			}
			for _, text := range []string{got.Path, got.Reason, want.Path, want.Reason, fmt.Sprint(gotErr), fmt.Sprint(wantErr)} {
				if strings.Contains(text, "canary") {
					t.Errorf("%s\nwith event %d tells what the event holds: %s", expr, i, text)
				}
			}
			switch {
			case gotErr != nil:
				kinds["error"]++
			case got.Match:
				kinds["match"]++
			default:
				kinds["no"]++
			}
		}
	}
	for _, kind := range []string{"refused", "error", "match", "no"} {
		if kinds[kind] < 50 {
			t.Errorf("only %d of kind %s in %v: the test is too weak", kinds[kind], kind, kinds)
		}
	}
}

// plain makes f leave every decision to CUE.
func plain(f Filter) {
	switch f := f.(type) {
	case *constraintFilter:
		f.shape.plain()
		f.complete = false
	case *conditionFilter:
		plainCondition(f.condition)
	}
}

func (n *Shape) plain() {
	n.matchers = nil
	for _, field := range n.fields {
		field.plain()
	}
}

func plainCondition(c condition) {
	switch c := c.(type) {
	case conjunction:
		for _, part := range c {
			plainCondition(part)
		}
	case disjunction:
		for _, part := range c.parts {
			plainCondition(part)
		}
	case *leaf:
		c.fastPath, c.strict = nil, false
	}
}

// Many goroutines share one filter, and evaluate it with CUE.
func TestMatchConcurrently(t *testing.T) {
	f, problems := Compile(`"\(context.data.n)-x" == "5-x"`, event.TriggerRef{})
	if problems != nil {
		t.Fatal(problems)
	}
	var wg sync.WaitGroup
	for n := range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for range 20 {
				v, err := f.Match(t.Context(), event.Event{Data: map[string]any{"n": int64(n)}})
				if err != nil || v.Match != (n == 5) {
					t.Errorf("n is %d: got %+v, %v", n, v, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestMatchWaitsNoLongerThanItsContext(t *testing.T) {
	f, problems := Compile(`"\(context.data.n)" == "5"`, event.TriggerRef{})
	if problems != nil {
		t.Fatal(problems)
	}
	idle := f.(*conditionFilter).pool.idle
	for range cap(idle) {
		<-idle
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Match(ctx, event.Event{Data: map[string]any{"n": int64(5)}}); !errors.Is(err, context.Canceled) {
		t.Errorf("all evaluators busy: got %v, want %v", err, context.Canceled)
	}
}

type panicking struct{}

func (panicking) evaluate(e *evaluation) (outcome, error) {
	if _, err := e.evaluate(0, nil); err != nil {
		return outcome{}, err
	}
	panic("canary")
}

func TestMatchSurvivesPanic(t *testing.T) {
	f, problems := Compile(`context.data.a == 1`, event.TriggerRef{})
	if problems != nil {
		t.Fatal(problems)
	}
	x := f.(*conditionFilter)
	x.condition = panicking{}
	for range cap(x.pool.idle) + 1 {
		v, err := x.Match(t.Context(), event.Event{Time: time.Unix(0, 0)})
		if err == nil || v.Match || strings.Contains(err.Error(), "canary") {
			t.Fatalf("got %+v, %v; want an error that does not tell", v, err)
		}
	}
	if got, want := len(x.pool.idle), cap(x.pool.idle); got != want {
		t.Errorf("%d evaluators left, want %d", got, want)
	}
}

// An evaluation leaves nothing behind, however its values differ.
func TestMatchKeepsNothing(t *testing.T) {
	for _, expr := range []string{
		`"\(context.data.metadata.name)-\(context.data.n)" == "x"`,
		`context: data: {n: int, metadata: {name: string, labels: {app: string, ...}}, twice: n * 2}`,
	} {
		f, problems := Compile(expr, event.TriggerRef{})
		if problems != nil {
			t.Fatal(problems)
		}
		run := func(from, to int) {
			for i := from; i < to; i++ {
				text := fmt.Sprintf("value-%d", i)
				ev := event.Event{ID: text, Data: map[string]any{
					"n": int64(i), "twice": int64(2 * i), "other": map[string]any{text: text},
					"metadata": map[string]any{"name": text, "uid": text, "labels": map[string]any{"app": text}, "annotations": map[string]any{text: text}},
				}}
				if _, err := f.Match(t.Context(), ev); err != nil {
					t.Fatal(err)
				}
			}
		}
		const events = 6000
		run(0, 500)
		before := heap()
		run(500, events)
		if grown := int64(heap()) - int64(before); grown > events*20 {
			t.Errorf("%s: the heap grew by %d bytes in %d evaluations", expr, grown, events)
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What the standard library of this version of CUE has is known.
func TestLibrary(t *testing.T) {
	for _, path := range standardLibrary() {
		for _, name := range append(boolFunctions(path), "") {
			text := fmt.Sprintf("import p %q\n_x: p", path)
			if name != "" {
				text += "." + name
			}
			if err := cuecontext.New().CompileString(text).Validate(); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, expr := range []string{`context.data.a == 1`, `context: data: a: >1`, `len(context.data.a) > 1 || !context.data.b`, `context.data.a["x/y"] =~ "^a"`, `context: data: {a: [...int], b?: _|_}`} {
		f.Add(expr, `{"a": 1, "b": true}`)
	}
	f.Fuzz(func(t *testing.T, expr, data string) {
		// What can take CUE for ever, or all memory, is not at issue here.
		if len(expr) > 200 || len(data) > 200 || strings.ContainsAny(expr, "*#") || strings.Count(expr, "for") > 1 {
			return
		}
		quick, problems := Compile(expr, event.TriggerRef{})
		if (quick == nil) != (len(problems) > 0) {
			t.Fatalf("%s: filter %v and problems %v", expr, quick, problems)
		}
		for _, p := range problems {
			if p.Line < 0 || p.Line > 1+strings.Count(expr, "\n") || p.Message == "" {
				t.Errorf("%s: problem %+v", expr, p)
			}
		}
		ev := event.Event{}
		if quick == nil || json.Unmarshal([]byte(data), &ev.Data) != nil {
			return
		}
		slow, _ := Compile(expr, event.TriggerRef{})
		plain(slow)
		got, gotErr := quick.Match(t.Context(), ev)
		want, wantErr := slow.Match(t.Context(), ev)
		if got.Match != want.Match || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s with %s: got %+v, %v; CUE says %+v, %v", expr, data, got, gotErr, want, wantErr)
		}
		if got.Match != (got.Reason == "") && gotErr == nil {
			t.Errorf("%s with %s: verdict %+v", expr, data, got)
		}
	})
}

// Elements that a loop embeds keep their fields.
func TestEmbeddedElements(t *testing.T) {
	data := map[string]any{"containers": []any{
		map[string]any{"name": "web", "image": "web:1"}, map[string]any{"name": "proxy", "image": "proxy:2"},
	}}
	for expr, want := range map[string]bool{
		`[for c in context.data.containers if c.name == "proxy" {c}][0].image == "proxy:2"`: true,
		`[for c in context.data.containers if c.name == "proxy" {c}][0].image == "web:1"`:   false,
	} {
		f, problems := Compile(expr, event.TriggerRef{Name: "t"})
		if problems != nil {
			t.Fatal(problems)
		}
		v, err := f.Match(t.Context(), event.Event{Data: data})
		if v.Match != want || err != nil {
			t.Errorf("%s: %+v, %v", expr, v, err)
		}
	}
}
