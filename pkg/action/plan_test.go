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
)

// answers executes calls by answering with what a template may build on.
type answers struct{ calls []string }

func (a *answers) Execute(_ context.Context, c provider.Call) (provider.Result, error) {
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

// planned are templates, and in how many stages they are evaluated; 0 as a whole.
var planned = []struct {
	name, source string
	stages       int
}{
	{"one", reading, 1},
	{"chain", reading + "b: " + fetch + "read.$returns.metadata.name}}\nc: " + fetch + "b.$returns.metadata.name}}", 3},
	{"backwards", "c: " + fetch + "b.$returns.metadata.name}}\nb: " + fetch + "read.$returns.metadata.name}}\n" + reading, 3},
	{"by way of a field", reading + "name: read.$returns.metadata.name + \"-x\"\nb: " + fetch + "name}}", 2},
	{"by way of a let", reading + "let N = read.$returns.metadata.name\nb: " + fetch + "N}}", 2},
	{"by way of a definition", reading + "#Next: " + fetch + "read.$returns.metadata.name}}\nb: #Next", 2},
	{"list", listing + "b: [for l in lists for i in l.$returns.items {" + fetch + "i.metadata.name}}}]", 2},
	{"list, embedded", listing + "_all: [for l in lists for i in l.$returns.items {i.metadata}]\nb: [for i in _all {" + fetch + "i.name}}}]", 2},
	{"how many", listing + "b: [if len(lists) > 1 {" + fetch + "\"many\"}}}]", 2},
	{"an element", listing + "b: " + fetch + "lists[1].$returns.items[0].metadata.name}}", 2},
	{"steps", "a: " + fetch + "\"a\"}} @step(2)\nb: " + fetch + "\"b\"}} @step(1)", 1},
	{"a null", reading + `b: [if read.$returns.data.none == null {` + fetch + `"null"}}}]`, 2},
	{"numbers", reading + `b: ` + fetch + `"\(read.$returns.data.n + 1)"}}`, 2},
	{"a field named like a package", "first: " + fetch + "json.Marshal(1)}}\nb: " + fetch + "first.$returns.data.list[0]}}\nc: {json: first.$returns.data.list}", 3},
	{"nested", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "\"b\"}}}\nc: " + fetch + "both.second.$returns.metadata.name}}", 2},
	{"within", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "first.$returns.metadata.name}}}", 0},
	{"within, by its name", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "both.first.$returns.metadata.name}}}", 0},
	{"within, whole", "both: {first: " + fetch + "\"a\"}}, second: " + fetch + "json.Marshal(first)}}}", 0},
	{"within a list", "all: [" + fetch + "\"a\"}}, " + fetch + "all[0].$returns.metadata.name}}]", 0},
	{"used whole", reading + "b: " + fetch + "json.Marshal(read)}}", 0},
	{"condition", reading + `if read.$returns.metadata.name == "got" {b: ` + fetch + `"b"}}}`, 0},
	{"constrained", reading + "read: $returns: metadata: name: \"got\"\nb: " + fetch + "read.$returns.metadata.name}}", 0},
	{"in a circle", "a: " + fetch + "b.$returns.metadata.name}}\nb: " + fetch + "a.$returns.metadata.name}}", 0},
	{"hidden", "_read: " + fetch + "\"a\"}}\nb: " + fetch + "_read.$returns.metadata.name}}", 0},
	{"fault", reading + "check: true & (len(read.$returns.data.list) > 5)", 2},
	{"fault of the event", reading + "check: true & (context.data.metadata.name == \"other\")", 2},
	{"absent", reading + "b: " + fetch + "read.$returns.status.phase}}", 2},
	{"refused", "a: " + fetch + "\"refused\"}}\nb: " + fetch + "\"b\"}}", 1},
	{"defaults", "b: " + fetch + "*parameter.name | \"none\"}}\nparameter: {name?: string, n: *1 | int}", 1},
	{"default of the event", "b: " + fetch + "parameter.name}}\nparameter: name: *context.data.metadata.name | string", 1},
	{"schema elsewhere", "b: " + fetch + "parameter.name}}\nparameter: #P\n#P: {name: *\"x\" | string}", 1},
	{"hidden in the parameter", "b: " + fetch + "parameter._name}}\nparameter: {n: *1 | int, _name: \"x\\(n)\"}", 1},
}

// TestPlan proves that a template which is evaluated in stages makes the calls
// that it makes when it is evaluated as a whole after each of them.
func TestPlan(t *testing.T) {
	for _, p := range planned {
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
			whole := *template
			whole.stages, whole.parameterDecls = []Stage{{}}, nil
			got, gotErr := calls(t, template, func(*runner) {})
			want, wantErr := calls(t, &whole, unfold)
			if !slices.Equal(got, want) || gotErr != wantErr {
				t.Errorf("in stages:\n%s\n%s\nas a whole:\n%s\n%s", strings.Join(got, "\n"), gotErr, strings.Join(want, "\n"), wantErr)
			}
			if len(got) == 0 && gotErr == "" {
				t.Error("it does nothing")
			}
		})
	}
}

// unfold makes r leave to each evaluation what depends on the parameter alone.
func unfold(r *runner) {
	r.parameter = ""
	<-r.pool
}

func calls(t *testing.T, template *Template, change func(*runner)) (calls []string, failure string) {
	t.Helper()
	var a answers
	run, problems := template.Compile(Options{Executor: &a})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	change(run.(*runner))
	ev := event.Event{Data: map[string]any{"metadata": map[string]any{"name": "settings"}}}
	if err := run.Run(t.Context(), ev); err != nil {
		failure = fmt.Sprint(err, " ", IsTerminal(err))
	}
	return a.calls, failure
}
