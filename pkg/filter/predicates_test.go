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

package filter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

// predicate is an entry of testdata/predicates.json: a typical filter in CUE and in
// CEL, and the name of an event in testdata/events that it matches.
type predicate struct {
	Name, Event, CUE, CEL string
}

func predicates(t testing.TB) []predicate {
	t.Helper()
	text, err := os.ReadFile("testdata/predicates.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []predicate
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) != 10 {
		t.Fatalf("%d predicates, want 10", len(out))
	}
	return out
}

func sample(t testing.TB, name string) event.Event {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, text)
}

func compile(t testing.TB, expr string) filter.Filter {
	t.Helper()
	f, problems := filter.Compile(expr, event.Trigger{Name: "t", Namespace: "ns"})
	if err := problems.Err(); err != nil {
		t.Fatalf("compile %s: %v", expr, err)
	}
	return f
}

func TestPredicates(t *testing.T) {
	for _, p := range predicates(t) {
		t.Run(p.Name, func(t *testing.T) {
			v, err := compile(t, p.CUE).Match(t.Context(), sample(t, p.Event))
			if err != nil || !v.Match {
				t.Errorf("%s of %s: got %+v, %v; want a match", p.CUE, p.Event, v, err)
			}
		})
	}
}

// BenchmarkMatch evaluates each predicate with the event that it matches.
func BenchmarkMatch(b *testing.B) {
	for _, p := range predicates(b) {
		b.Run(p.Name, func(b *testing.B) {
			match(b, compile(b, p.CUE), sample(b, p.Event))
		})
	}
}

// BenchmarkMismatch evaluates each predicate with an event of another kind.
func BenchmarkMismatch(b *testing.B) {
	for _, p := range predicates(b) {
		b.Run(p.Name, func(b *testing.B) {
			other := map[string]string{"deployment": "configmap", "configmap": "pod", "pod": "application", "application": "deployment"}
			ev := sample(b, other[p.Event])
			ev.Data["metadata"].(map[string]any)["name"] = "other"
			match(b, compile(b, p.CUE), ev)
		})
	}
}

func match(b *testing.B, f filter.Filter, ev event.Event) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Match(b.Context(), ev); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMatchParallel evaluates a predicate on all processors.
func BenchmarkMatchParallel(b *testing.B) {
	p := predicates(b)[6]
	f, ev := compile(b, p.CUE), sample(b, p.Event)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := f.Match(b.Context(), ev); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkCompile compiles each predicate.
func BenchmarkCompile(b *testing.B) {
	for _, p := range predicates(b) {
		b.Run(p.Name, func(b *testing.B) {
			for b.Loop() {
				compile(b, p.CUE)
			}
		})
	}
}

func ExampleCompile() {
	f, problems := filter.Compile(`context.data.status.readyReplicas == context.data.status.replicas`, event.Trigger{Name: "ready"})
	if problems != nil {
		fmt.Println(problems)
		return
	}
	ev := event.Event{Data: map[string]any{"status": map[string]any{"replicas": int64(3)}}}
	verdict, err := f.Match(context.Background(), ev)
	fmt.Println(verdict.Match, verdict.Reason, err)
	// Output: false context.data.status.readyReplicas is absent <nil>
}
