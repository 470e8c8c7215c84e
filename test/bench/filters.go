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

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/cel-go/cel"
	apijson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

// predicates is the folder with the filters and events of the filter tests.
const predicates = "pkg/filter/testdata/"

// smallHeap is the heap size in bytes up to which kube-trigger does not collect garbage.
const smallHeap = 64 << 20

// filters measures one evaluation of each filter, with the settings that kube-trigger has
// for the garbage collector.
func filters(ctx context.Context, out io.Writer, size size) error {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(smallHeap))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	text, err := os.ReadFile(predicates + "predicates.json")
	if err != nil {
		return err
	}
	var all []struct{ Name, Event, CUE, CEL string }
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	t := newTable("filter", "kube-trigger, µs", "cel-go, µs", "allocated, B", "cel-go, B")
	for _, p := range all {
		ev, err := loadEvent(p.Event)
		if err != nil {
			return err
		}
		ours, err := newFilter(ctx, p.CUE, ev)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		theirs, err := newCEL(p.CEL, ev)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		a, err := measureEvaluation(ctx, size.filter, ours)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		b, err := measureEvaluation(ctx, size.filter, theirs)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		t.row(p.Name, micros(a.time), micros(b.time), fmt.Sprint(a.bytes), fmt.Sprint(b.bytes))
	}
	fmt.Fprintf(out, "\n## Filters\n\n%s", t)
	return nil
}

// trigger returns the trigger that filters belong to.
func trigger() event.Trigger { return event.Trigger{Name: "bench", Namespace: "default"} }

// loadEvent returns the event in a file of predicates.
func loadEvent(name string) (event.Event, error) {
	text, err := os.ReadFile(predicates + "events/" + name + ".json")
	if err != nil {
		return event.Event{}, err
	}
	var e map[string]any
	if err := apijson.Unmarshal(text, &e); err != nil {
		return event.Event{}, fmt.Errorf("%s: %w", name, err)
	}
	source, _ := e["source"].(string)
	kind, _ := e["type"].(string)
	data, _ := e["data"].(map[string]any)
	old, _ := e["old"].(map[string]any)
	return event.Event{Source: source, Type: kind, ID: "bench", Data: data, Old: old, Time: time.Now()}, nil
}

// newFilter returns a function that evaluates a filter of kube-trigger for ev.
func newFilter(ctx context.Context, expr string, ev event.Event) (func() (bool, error), error) {
	f, problems := filter.Compile(expr, trigger())
	return func() (bool, error) {
		v, err := f.Match(ctx, ev)
		return v.Match, err
	}, problems.Err()
}

// newCEL returns a function that evaluates a CEL expression for ev.
func newCEL(expr string, ev event.Event) (func() (bool, error), error) {
	env, err := cel.NewEnv(cel.Variable("context", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		return nil, err
	}
	tree, issues := env.Compile(expr)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	program, err := env.Program(tree)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"context": ev.Context(trigger())}
	return func() (bool, error) {
		v, _, err := program.Eval(data)
		return err == nil && v.Value() == true, err
	}, nil
}

// cost is the cost of one evaluation.
type cost struct {
	time  time.Duration // processor time
	bytes uint64        // allocated
}

// measureEvaluation evaluates for about d, in ten parts, and returns the median cost. It
// measures the processor time of this process, which other processes do not affect.
func measureEvaluation(ctx context.Context, d time.Duration, evaluate func() (bool, error)) (cost, error) {
	const parts = 10
	n := 1
	var times []time.Duration
	for len(times) < parts {
		start, err := processTime()
		if err != nil {
			return cost{}, err
		}
		for range n {
			match, err := evaluate()
			if err != nil {
				return cost{}, err
			}
			if !match {
				return cost{}, errors.New("filter does not match its event")
			}
		}
		end, err := processTime()
		if err != nil {
			return cost{}, err
		}
		elapsed := end - start
		if elapsed < d/parts/2 {
			n *= 2
			continue
		}
		times = append(times, elapsed/time.Duration(n))
		if ctx.Err() != nil {
			return cost{}, ctx.Err()
		}
	}
	slices.Sort(times)
	bytes, err := allocated(evaluate)
	return cost{times[parts/2], bytes}, err
}
