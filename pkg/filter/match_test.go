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

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// Compiled filters give the same verdict as CUE, and verdicts and errors hold no
// values of the event.
func TestCompile_SameVerdictAsCUE(t *testing.T) {
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
		text := g.filter()
		fast, problems := Compile(text, event.Trigger{Name: "t"})
		if problems != nil {
			kinds["invalid"]++
			continue
		}
		slow, _ := Compile(text, event.Trigger{Name: "t"})
		useCUE(slow)
		for i, ev := range events {
			got, gotErr := fast.Match(t.Context(), ev)
			want, wantErr := slow.Match(t.Context(), ev)
			if got.Match != want.Match || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
				t.Errorf("%s\nwith event %d %v\ngot  %+v, %v\nwant %+v, %v", text, i, ev.Data, got, gotErr, want, wantErr)
			}
			for _, output := range []string{got.Path, got.Reason, want.Path, want.Reason, fmt.Sprint(gotErr), fmt.Sprint(wantErr)} {
				if strings.Contains(output, "canary") {
					t.Errorf("%s\nwith event %d shows a value of the event: %s", text, i, output)
				}
			}
			switch {
			case gotErr != nil:
				t.Errorf("%s\nwith event %d %v: %v", text, i, ev.Data, gotErr)
			case got.Match:
				kinds["match"]++
			default:
				kinds["mismatch"]++
			}
		}
	}
	for _, kind := range []string{"invalid", "match", "mismatch"} {
		if kinds[kind] < 50 {
			t.Errorf("only %d results of kind %s in %v", kinds[kind], kind, kinds)
		}
	}
}

// TestScreen compares Screen and Match: what Screen excludes has the same verdict.
func TestScreen(t *testing.T) {
	g := &generator{rand.New(rand.NewPCG(3, 5))}
	var events []event.Event
	for range 20 {
		events = append(events, event.Event{Type: "update", Data: g.event(0), Old: g.event(0)})
	}
	events = append(events, event.Event{}, event.Event{Data: map[string]any{"a": map[string]any{"a": nil, "b": "x"}, "b": "x"}})
	excluded, matched := 0, 0
	for range 1500 {
		text := g.condition(1)
		if g.IntN(2) == 0 {
			text = g.path() + g.oneOf(` == "x"`, ` == "canary"`, " != _|_", ` != "x"`) + " && " + text
		}
		compiled, problems := Compile("import \"strings\"\n_used: strings.ToLower(\"X\")\n"+text, event.Trigger{Name: "t"})
		f, ok := compiled.(*conditionFilter)
		if problems != nil || !ok {
			continue
		}
		for _, ev := range events {
			want, err := f.Match(t.Context(), ev)
			got, out := f.Screen(ev)
			switch {
			case out && (err != nil || got != want):
				t.Errorf("%s\nwith %v\nScreen %+v\nMatch  %+v, %v", text, ev.Data, got, want, err)
			case out:
				excluded++
			case want.Match:
				matched++
			}
		}
	}
	if excluded < 500 || matched < 500 {
		t.Errorf("only %d events were excluded, and %d matched", excluded, matched)
	}
}

// TestScreen_Forms has the filters that exclude an event without Match.
func TestScreen_Forms(t *testing.T) {
	ev := event.Event{Data: map[string]any{"kind": "ConfigMap", "metadata": map[string]any{"name": "a", "labels": map[string]any{"a/b": "c"}}}}
	for text, want := range map[string]bool{
		`context.data.metadata.name == "b"`:                                               true,
		`context.data.metadata.name == "a"`:                                               false,
		`context.data.metadata.name == "a" && context.data.metadata.labels["a/b"] == "d"`: true,
		`context.data["metadata"].labels["other"] != _|_`:                                 true,
		`context.data.metadata.labels["a/b"] != _|_`:                                      false,
		`context.data.metadata.annotations["a"] == "b"`:                                   false, // Match says what is absent
		`context.data.metadata.name == "b" || context.data.kind == "Pod"`:                 false,
		`!(context.data.metadata.name == "a")`:                                            false,
		`context.event.type == "create" && context.data.metadata.name == "b"`:             false,
		`(context.data.metadata.name == "b") && context.data.x.y > 3`:                     true,
	} {
		f, problems := Compile(text, event.Trigger{Name: "t"})
		if problems != nil {
			t.Fatal(problems)
		}
		if _, got := f.(*conditionFilter).Screen(ev); got != want {
			t.Errorf("%s: excluded %t, want %t", text, got, want)
		}
	}
}

// useCUE makes f evaluate conditions and constraints with CUE.
func useCUE(f Filter) {
	switch f := f.(type) {
	case *constraintFilter:
		f.shape, f.left = f.shape.PresenceOnly(), &closure.UnsupportedError{}
	case *conditionFilter:
		useCUEFor(f.condition)
	}
}

func useCUEFor(c condition) {
	switch c := c.(type) {
	case conjunction:
		for _, part := range c {
			useCUEFor(part)
		}
	case disjunction:
		for _, part := range c.parts {
			useCUEFor(part)
		}
	case *leaf:
		c.compiled = nil
	}
}

// A filter is safe for concurrent use, compiled and evaluated by CUE.
func TestFilter_Concurrent(t *testing.T) {
	t.Run("compiled", func(t *testing.T) { testConcurrent(t, `[for x in [context.data.n] {"\(x)-x"}][0] == "5-x"`) })
	t.Run("by CUE", func(t *testing.T) { testConcurrent(t, `list.Sum([context.data.n]) == 5`) })
}

func testConcurrent(t *testing.T, text string) {
	t.Helper()
	f, problems := Compile(text, event.Trigger{})
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

func TestFilter_ContextCanceled(t *testing.T) {
	f, problems := Compile(`list.Sum([context.data.n]) == 5`, event.Trigger{}) // evaluated by CUE
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
		t.Errorf("all evaluators in use: got %v, want %v", err, context.Canceled)
	}
}

type panickingCondition struct{}

func (panickingCondition) evaluate(e *evaluation) (outcome, error) {
	if _, err := e.evaluate(0, nil); err != nil {
		return outcome{}, err
	}
	panic("canary")
}

func TestFilter_Panic(t *testing.T) {
	compiled, problems := Compile(`context.data.a == 1`, event.Trigger{})
	if problems != nil {
		t.Fatal(problems)
	}
	f := compiled.(*conditionFilter)
	f.condition = panickingCondition{}
	for range cap(f.pool.idle) + 1 {
		v, err := f.Match(t.Context(), event.Event{Time: time.Unix(0, 0)})
		if err == nil || v.Match || strings.Contains(err.Error(), "canary") {
			t.Fatalf("got %+v, %v; want an error without the value of the panic", v, err)
		}
	}
	if got, want := len(f.pool.idle), cap(f.pool.idle); got != want {
		t.Errorf("%d idle evaluators, want %d", got, want)
	}
}

// The heap does not grow with the number of events.
func TestFilter_Memory(t *testing.T) {
	for _, text := range []string{
		`"\(context.data.metadata.name)-\(context.data.n)" == "x"`,
		`context: data: {n: int, metadata: {name: string, labels: {app: string, ...}}, twice: n * 2}`,
	} {
		f, problems := Compile(text, event.Trigger{})
		if problems != nil {
			t.Fatal(problems)
		}
		run := func(from, to int) {
			for i := from; i < to; i++ {
				value := fmt.Sprintf("value-%d", i)
				ev := event.Event{ID: value, Data: map[string]any{
					"n": int64(i), "twice": int64(2 * i), "other": map[string]any{value: value},
					"metadata": map[string]any{"name": value, "uid": value, "labels": map[string]any{"app": value}, "annotations": map[string]any{value: value}},
				}}
				if _, err := f.Match(t.Context(), ev); err != nil {
					t.Fatal(err)
				}
			}
		}
		const events = 6000
		run(0, 500)
		before := heapSize()
		run(500, events)
		if grown := int64(heapSize()) - int64(before); grown > events*20 {
			t.Errorf("%s: the heap grew by %d bytes in %d evaluations", text, grown, events)
		}
	}
}

func heapSize() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func FuzzMatch(f *testing.F) {
	for _, text := range []string{`context.data.a == 1`, `context: data: a: >1`, `len(context.data.a) > 1 || !context.data.b`, `context.data.a["x/y"] =~ "^a"`, `context: data: {a: [...int], b?: _|_}`} {
		f.Add(text, `{"a": 1, "b": true}`)
	}
	f.Fuzz(func(t *testing.T, text, data string) {
		// Skip expressions that take CUE very long, or all memory.
		if len(text) > 200 || len(data) > 200 || strings.ContainsAny(text, "*#") || strings.Count(text, "for") > 1 {
			return
		}
		fast, problems := Compile(text, event.Trigger{})
		if (fast == nil) != (len(problems) > 0) {
			t.Fatalf("%s: filter %v and diagnostics %v", text, fast, problems)
		}
		for _, p := range problems {
			if p.Line < 0 || p.Line > 1+strings.Count(text, "\n") || p.Message == "" {
				t.Errorf("%s: diagnostic %+v", text, p)
			}
		}
		ev := event.Event{}
		if fast == nil || json.Unmarshal([]byte(data), &ev.Data) != nil {
			return
		}
		slow, _ := Compile(text, event.Trigger{})
		useCUE(slow)
		got, gotErr := fast.Match(t.Context(), ev)
		want, wantErr := slow.Match(t.Context(), ev)
		if got.Match != want.Match || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s with %s: got %+v, %v; CUE returns %+v, %v", text, data, got, gotErr, want, wantErr)
		}
		if got.Match != (got.Reason == "") && gotErr == nil {
			t.Errorf("%s with %s: verdict %+v", text, data, got)
		}
	})
}

// Elements that a loop embeds have their fields.
func TestFilter_EmbeddedElements(t *testing.T) {
	data := map[string]any{"containers": []any{
		map[string]any{"name": "web", "image": "web:1"}, map[string]any{"name": "proxy", "image": "proxy:2"},
	}}
	for text, want := range map[string]bool{
		`[for c in context.data.containers if c.name == "proxy" {c}][0].image == "proxy:2"`: true,
		`[for c in context.data.containers if c.name == "proxy" {c}][0].image == "web:1"`:   false,
	} {
		f, problems := Compile(text, event.Trigger{Name: "t"})
		if problems != nil {
			t.Fatal(problems)
		}
		v, err := f.Match(t.Context(), event.Event{Data: data})
		if v.Match != want || err != nil {
			t.Errorf("%s: %+v, %v", text, v, err)
		}
	}
}
