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

package action

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// example is an action with properties, and an event and objects for it.
type example struct {
	name, template string
	properties     map[string]any
	event          map[string]any
	objects        []any
}

// examples are the golden files of the built-in actions.
func examples(t testing.TB) []example {
	t.Helper()
	files, err := filepath.Glob("../../actions/testdata/*/*.txtar")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var all []example
	for _, name := range files {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		e := example{name: strings.TrimPrefix(name, "../../actions/testdata/"), template: filepath.Base(filepath.Dir(name))}
		for _, f := range archive.Files {
			switch f.Name {
			case "properties":
				e.properties, _ = decodeYAML(t, f.Data).(map[string]any)
			case "event":
				e.event, _ = decodeYAML(t, f.Data).(map[string]any)
			case "objects":
				for _, document := range strings.Split(string(f.Data), "\n---\n") {
					e.objects = append(e.objects, decodeYAML(t, []byte(document)))
				}
			}
		}
		all = append(all, e)
	}
	return all
}

func decodeYAML(t testing.TB, text []byte) any {
	t.Helper()
	encoded, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := number.Unmarshal(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// compile compiles the action of an example; nil if its properties are invalid.
func (e example) compile(t testing.TB, executor provider.Executor) *Action {
	t.Helper()
	return e.compileComputed(t, executor, nil)
}

// compileComputed is compile with properties that depend on the event.
func (e example) compileComputed(t testing.TB, executor provider.Executor, computed *expr.Computed) *Action {
	t.Helper()
	source, err := os.ReadFile("../../actions/" + e.template + ".cue")
	if err != nil {
		t.Fatal(err)
	}
	template, problems := Parse(e.template, string(source))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	a, problems := template.Compile(Options{
		Executor: executor, Properties: e.properties, Computed: computed, EvaluateResult: true, Trigger: event.Trigger{Name: "t", Namespace: "prod"},
	})
	if len(problems) > 0 {
		return nil
	}
	return a
}

// objectExecutor records calls, and returns objects.
type objectExecutor struct {
	objects []any
	calls   []string
}

func (a *objectExecutor) Execute(_ context.Context, c provider.Call) (provider.Result, error) {
	params, err := json.Marshal(c.Params)
	if err != nil {
		return nil, err
	}
	a.calls = append(a.calls, fmt.Sprint(c.Path, " ", c.Provider, " ", c.Do, " ", c.HandlesErr, " ", string(params)))
	if c.Do == "list" {
		return provider.Result{"$returns": map[string]any{"items": a.objects}}, nil
	}
	if len(a.objects) > 0 {
		if object, ok := a.objects[len(a.calls)%len(a.objects)].(map[string]any); ok {
			return provider.Result{"$returns": object}, nil
		}
	}
	return provider.Result{"$returns": map[string]any{}}, nil
}

// run returns the calls, the result and the error of an action for an event.
func (e example) run(ctx context.Context, a *Action, executor *objectExecutor, data map[string]any, objects []any) string {
	executor.objects, executor.calls = objects, nil
	ev := event.Event{
		Source: "resource-watcher", Type: "update", ID: "uid@7", Key: "prod/web", Data: data, Time: time.Unix(1_700_000_000, 0),
	}
	result, err := a.Start(nil, nil)(ctx, ev)
	encoded, _ := json.Marshal(result)
	return fmt.Sprintf("%s\nresult %s\nerror %v", strings.Join(executor.calls, "\n"), encoded, err)
}

// mutated returns v without some of its fields, and with other values in some.
func mutated(r *rand.Rand, v any) any {
	if r.IntN(12) == 0 {
		return []any{nil, "text", "12", int64(3), 2.5, true, []any{}, map[string]any{}, json.Number("12345678901234567890")}[r.IntN(9)]
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if r.IntN(12) > 0 {
				out[name] = mutated(r, v[name])
			}
		}
		return out
	case []any:
		out := []any{}
		for _, element := range v {
			for range []int{1, 1, 1, 1, 1, 1, 0, 2}[r.IntN(8)] {
				out = append(out, mutated(r, element))
			}
		}
		return out
	}
	return v
}

// Built-in actions make the same calls and have the same results with renderings as with CUE,
// for the events and objects of their golden files, and for changed ones.
func TestRendering_SameAsCUE(t *testing.T) {
	rendered := 0
	for i, e := range examples(t) {
		executor := &objectExecutor{}
		a := e.compile(t, executor)
		if a == nil {
			continue
		}
		byCUE := e.compile(t, executor)
		byCUE.rendered = make([]*rendering, len(byCUE.rendered))
		r := rand.New(rand.NewPCG(uint64(i), 1))
		for n := range 12 {
			data, objects := e.event, e.objects
			if n > 0 {
				data, _ = mutated(r, e.event).(map[string]any)
				objects, _ = mutated(r, e.objects).([]any)
			}
			got, want := e.run(t.Context(), a, executor, data, objects), e.run(t.Context(), byCUE, executor, data, objects)
			if got != want {
				t.Errorf("%s with %v and %v:\n%s\nby CUE:\n%s", e.name, data, objects, got, want)
			}
		}
		for _, p := range a.rendered {
			if p != nil {
				rendered++
			}
		}
	}
	if rendered < 60 {
		t.Errorf("only %d stages are rendered", rendered)
	}
}

// Properties that depend on the event are the same without CUE, for the events of golden files, and
// for changed ones.
func TestParameterProgram_SameAsCUE(t *testing.T) {
	resource := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "namespace": "{{.data.metadata.namespace}}"}
	completed := 0
	for i, c := range []struct {
		template   string
		properties map[string]any
		cue        string
	}{
		{"patch-resource", map[string]any{"resource": resource}, `patch: data: metadata: annotations: seen: "\(context.data.metadata.name)/\(context.event.type)"`},
		{"patch-resource", map[string]any{"resource": resource}, `patch: {type: "json", data: [{op: "add", path: "/data/a", value: context.data.data}]}`},
		{"patch-resource", map[string]any{"resource": resource}, `patch: [if context.data.data.a == "x" {type: "strategic", data: {}}, {data: a: *context.data.spec.replicas | 3}][0]`},
		{"patch-resource", map[string]any{"resource": map[string]any{"apiVersion": "v1", "kind": "Secret"}, "patch": map[string]any{"data": map[string]any{"a": "{{.data.metadata.name}}"}}}, `resource: {name: "\(context.data.metadata.name)-{{x}}", if context.data.metadata.namespace != _|_ {namespace: context.data.metadata.namespace}}`},
		{"patch-resource", map[string]any{"resource": resource}, `patch: {for k, v in context.data.data {(k): v}}`},
		{"http-request", map[string]any{"url": "https://example.com/{{.data.metadata.name}}"}, `body: context.data.data`},
		{"http-request", nil, "url: \"https://example.com/\\(context.data.metadata.name)\"\nheaders: \"X-Name\": context.data.metadata.name\nmethod: [if context.data.data.a != _|_ {\"PUT\"}, \"POST\"][0]"},
		{"http-request", map[string]any{"url": "https://example.com"}, `body: [for k, v in context.data.metadata {k}]`},
		{"log", nil, `message: "{{.data.metadata.name}} \(context.data.metadata.name)"`},
	} {
		computed, problems := ParseComputed(c.cue)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		e := example{name: c.cue, template: c.template, properties: c.properties, event: map[string]any{
			"metadata": map[string]any{"name": "web", "namespace": "prod"}, "data": map[string]any{"a": "x", "b": map[string]any{"c": int64(1)}}, "spec": map[string]any{"replicas": int64(2)},
		}}
		executor := &objectExecutor{}
		a, byCUE := e.compileComputed(t, executor, computed), e.compileComputed(t, executor, computed)
		if a == nil || a.parameterProgram == nil || len(a.ByCUE()) > 0 {
			t.Fatalf("%s: %v", c.cue, a.ByCUE())
		}
		byCUE.parameterProgram, byCUE.rendered = nil, make([]*rendering, len(byCUE.rendered))
		r := rand.New(rand.NewPCG(uint64(i), 2))
		for n := range 40 {
			data := e.event
			if n > 0 {
				data, _ = mutated(r, e.event).(map[string]any)
			}
			if got, want := e.run(t.Context(), a, executor, data, nil), e.run(t.Context(), byCUE, executor, data, nil); got != want {
				t.Errorf("%s with %v:\n%s\nby CUE:\n%s", c.cue, data, got, want)
			}
			if _, _, ok := a.parameterProgram.complete(c.properties, event.Event{Data: data}.Context(event.Trigger{})); ok {
				completed++
			}
		}
	}
	if completed < 200 {
		t.Errorf("only %d are completed without CUE", completed)
	}
}

// The stages of built-in actions that CUE evaluates, with what decides that.
func TestRendering_ByCUE(t *testing.T) {
	var got []string
	for _, e := range examples(t) {
		a := e.compile(t, nil)
		if a == nil {
			continue
		}
		trees, err := a.trees()
		if err != nil {
			t.Fatal(err)
		}
		for i, tree := range trees {
			if _, err := a.newRendering(a.template.stages[i], tree); err != nil {
				got = append(got, fmt.Sprintf("%s, stage %d: %v", e.template, i, err))
			}
		}
	}
	slices.Sort(got)
	got = slices.Compact(got)
	want := []string{}
	if !slices.Equal(got, want) {
		t.Errorf("by CUE:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
