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
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// fakeExecutor records calls and returns objects with a metadata, data and items.
type fakeExecutor struct{ calls []string }

func (a *fakeExecutor) Execute(_ context.Context, c provider.Call) (provider.Result, error) {
	params, err := json.Marshal(c.Params)
	if err != nil {
		return nil, err
	}
	a.calls = append(a.calls, fmt.Sprint(c.Path, " ", c.Do, " ", string(params)))
	if strings.Contains(string(params), "refused") {
		return nil, errors.New("refused")
	}
	object := func(name string) map[string]any {
		return map[string]any{
			"metadata": map[string]any{"name": name, "namespace": "shop", "labels": map[string]any{"app.kubernetes.io/name": name}},
			"data":     map[string]any{"n": int64(len(a.calls)), "none": nil, "list": []any{"x", "y"}},
		}
	}
	returns := object("got")
	if c.Do == "list" {
		returns = map[string]any{"items": []any{object("one"), object("two")}}
	}
	return provider.Result{"$returns": returns}, nil
}

const (
	reading = `read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: name: context.data.metadata.name}}` + "\n"
	listing = `lists: [for n in ["a", "b"] {kube.#List & {$params: {resource: {apiVersion: "v1", kind: "Pod"}, filter: namespace: n}}}]` + "\n"
	fetch   = `kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: `
)

// scheduled are templates and the number of their stages; 0 is a single, repeating one.
var scheduled = []struct {
	name, source string
	stages       int
}{
	{"one", reading, 1},
	{"chain", reading + "b: " + fetch + "read.$returns.metadata.name}}\nc: " + fetch + "b.$returns.metadata.name}}", 3},
	{"backwards", "c: " + fetch + "b.$returns.metadata.name}}\nb: " + fetch + "read.$returns.metadata.name}}\n" + reading, 3},
	{"through a field", reading + "name: read.$returns.metadata.name + \"-x\"\nb: " + fetch + "name}}", 2},
	{"through a let", reading + "let N = read.$returns.metadata.name\nb: " + fetch + "N}}", 2},
	{"through a definition", reading + "#Next: " + fetch + "read.$returns.metadata.name}}\nb: #Next", 2},
	{"list", listing + "b: [for l in lists for i in l.$returns.items {" + fetch + "i.metadata.name}}}]", 2},
	{"list, embedded", listing + "_all: [for l in lists for i in l.$returns.items {i.metadata}]\nb: [for i in _all {" + fetch + "i.name}}}]", 2},
	{"length", listing + "b: [if len(lists) > 1 {" + fetch + "\"many\"}}}]", 2},
	{"an element", listing + "b: " + fetch + "lists[1].$returns.items[0].metadata.name}}", 2},
	{"steps", "a: " + fetch + "\"a\"}} @step(2)\nb: " + fetch + "\"b\"}} @step(1)", 1},
	{"a null", reading + `b: [if read.$returns.data.none == null {` + fetch + `"null"}}}]`, 2},
	{"numbers", reading + `b: ` + fetch + `"\(read.$returns.data.n + 1)"}}`, 2},
	{"a field named like a package", "first: " + fetch + "json.Marshal(1)}}\nb: " + fetch + "first.$returns.data.list[0]}}\nc: {json: first.$returns.data.list}", 3},
	{"nested", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "\"b\"}}}\nc: " + fetch + "both.second.$returns.metadata.name}}", 2},
	{"within", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "first.$returns.metadata.name}}}", 0},
	{"within, by its name", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "both.first.$returns.metadata.name}}}", 0},
	{"within, as a value", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "json.Marshal(first)}}}", 0},
	{"within a list", "all: [" + fetch + "\"a\"}}, " + fetch + "all[0].$returns.metadata.name}}]", 0},
	{"used as a value", reading + "b: " + fetch + "json.Marshal(read)}}", 0},
	{"condition", reading + `if read.$returns.metadata.name == "got" {b: ` + fetch + `"b"}}}`, 0},
	{"constrained", reading + "read: $returns: metadata: name: \"got\"\nb: " + fetch + "read.$returns.metadata.name}}", 0},
	{"cycle", "a: " + fetch + "b.$params.resource.metadata.name}}\nb: " + fetch + "\"b\"}, own: a.$returns.metadata.name}", 0},
	{"hidden", "_read: " + fetch + "\"a\"}}\nb: " + fetch + "_read.$returns.metadata.name}}", 0},
	{"conflict", reading + "check: true & (len(read.$returns.data.list) > 5)", 2},
	{"conflict with the event", reading + "check: true & (context.data.metadata.name == \"other\")", 2},
	{"absent", reading + "b: " + fetch + "read.$returns.status.phase}}", 2},
	{"refused", "a: " + fetch + "\"refused\"}}\nb: " + fetch + "\"b\"}}", 1},
	{"defaults", "b: " + fetch + "*parameter.name | \"none\"}}\nparameter: {name?: string, n: *1 | int}", 1},
	{"default of the event", "b: " + fetch + "parameter.name}}\nparameter: name: *context.data.metadata.name | string", 1},
	{"schema elsewhere", "b: " + fetch + "parameter.name}}\nparameter: #P\n#P: {name: *\"x\" | string}", 1},
	{"hidden in the parameter", "b: " + fetch + "parameter._name}}\nparameter: {n: *1 | int, _name: \"x\\(n)\"}", 1},
}

// A template makes the same calls in stages as in a single stage that repeats.
func TestTemplate_Stages(t *testing.T) {
	for _, p := range scheduled {
		t.Run(p.name, func(t *testing.T) {
			source := "import \"vela/kube\"\n" + p.source
			if strings.Contains(p.source, "json.") {
				source = "import \"encoding/json\"\n" + source
			}
			template, problems := Parse("test", source)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			stages := len(template.stages)
			if template.stages[0].Repeats() {
				stages = 0
			}
			if stages != p.stages {
				t.Errorf("%d stages, want %d: %v", stages, p.stages, template.stages)
			}
			single := *template
			single.stages, single.parameterDecls = []expr.Stage{{}}, nil
			got, gotErr := calls(t, template, func(*Action) {})
			want, wantErr := calls(t, &single, func(r *Action) { r.names = nil })
			if !slices.Equal(got, want) || gotErr != wantErr {
				t.Errorf("in stages:\n%s\n%s\nin one stage:\n%s\n%s", strings.Join(got, "\n"), gotErr, strings.Join(want, "\n"), wantErr)
			}
			if len(got) == 0 && gotErr == "" {
				t.Error("no calls")
			}
		})
	}
}

func calls(t *testing.T, template *Template, change func(*Action)) (calls []string, failure string) {
	t.Helper()
	var a fakeExecutor
	run, problems := template.Compile(Options{Executor: &a})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	change(run)
	ev := event.Event{Data: map[string]any{"metadata": map[string]any{"name": "settings"}}}
	if _, err := run.Start(nil, nil)(t.Context(), ev); err != nil {
		failure = fmt.Sprint(err, " ", IsTerminal(err))
	}
	return a.calls, failure
}
