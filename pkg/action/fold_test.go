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
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestFold shows what is left to be evaluated with each event.
func TestFold(t *testing.T) {
	const needed = "// needed\n"
	const parameter = `parameter: {name: "web", all: false, n: 2, labels: {a: "b"}, list: ["x"], none: ""}` + "\n"
	for name, c := range map[string]struct{ source, want string }{
		"scalar":        {`a: parameter.name + "-x"`, needed + `a: parameter.name + "-x"`}, // it is fixed as a whole
		"in a field":    {`a: {b: parameter.name + "-x", c: context.x}`, `a: {b: "web-x", c: context.x}`},
		"interpolation": {`a: {b: "\(parameter.name)-\(context.x)"}`, `a: {b: "\("web")-\(context.x)"}`},
		"by a let":      {"let N = parameter.name\na: [N, context.x]", `a: ["web", context.x]`},
		"by a field":    {"n: parameter.n + 1\na: [n, context.x]", needed + "n: parameter.n + 1\na: [3, context.x]"},
		"absent":        {`a: [if parameter.other != _|_ {parameter.other}, context.x]`, `a: [context.x]`},
		"absent, used":  {`a: [parameter.other, context.x]`, needed + `a: [parameter.other, context.x]`},
		"first":         {`a: [if parameter.none != "" {parameter.none}, context.x][0]`, `a: context.x`},
		"first, taken":  {`a: [if parameter.name != "" {context.x}, context.y][0]`, `a: context.x`},
		"first, open":   {`a: [if context.b {1}, if parameter.all {2}, 3][0]`, `a: [if context.b {1}, 3][0]`},
		"branches":      {"if parameter.all {a: context.x}\nif !parameter.all {b: context.x}", "if true {b: context.x}"},
		"two conditions": {
			`a: [if !parameter.all if context.b {1}, if parameter.all if context.b {2}]`, `a: [if context.b {1}]`,
		},
		"and":      {`a: {b: !parameter.all && context.b}`, `a: {b: context.b}`},
		"struct":   {`a: {labels: parameter.labels, x: context.x}`, `a: {labels: {a: "b"}, x: context.x}`},
		"loop":     {`a: [for x in context.x {x: parameter.n}]`, `a: [for x in context.x {x: 2}]`},
		"shadowed": {`a: {parameter: {name: context.x}, b: parameter.name}`, `a: {parameter: {name: context.x}, b: parameter.name}`},
		"variable": {`a: [for parameter in context.x {parameter.name}]`, `a: [for parameter in context.x {parameter.name}]`},
		"label":    {`a: {"\(parameter.name)": context.x}`, needed + `a: {"\(parameter.name)": context.x}`},
		"default":  {`a: {b: *parameter.other | parameter.name, c: context.x}`, `a: {b: "web", c: context.x}`},
		"a call":   {"a: {#do: \"get\"}\nb: [*a.$returns.x | 1, parameter.n, context.x]", "a: {#do: \"get\"}\nb: [*a.$returns.x | 1, 2, context.x]"},
		"varying":  {`a: {b: *context.x | 1}`, `a: {b: *context.x | 1}`},
		"added to by a condition": {
			"n: 1\nif context.b {n: _}\na: [*n | 1, parameter.n]", "n: 1\nif context.b {n: _}\na: [*n | 1, 2]",
		},
		"constrained by a pattern": {"[string]: _\na: [parameter.n, context.x]", needed + "[string]: _\na: [parameter.n, context.x]"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := parser.ParseFile("x.cue", parameter+"context: _\n"+c.source)
			if err != nil {
				t.Fatal(err)
			}
			if err := resolve(file); err != nil {
				t.Fatal(err)
			}
			if err := FoldConstants(file, []string{"context"}); err != nil {
				t.Fatal(err)
			}
			got, err := format.Node(file)
			if err != nil {
				t.Fatal(err)
			}
			want := "context: _\n" + c.want
			if still, ok := strings.CutPrefix(c.want, needed); ok {
				want = parameter + "context: _\n" + still
			}
			if spaceless(string(got)) != spaceless(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func spaceless(text string) string { return strings.Join(strings.Fields(text), "") }

// TestFoldedCalls proves that a template makes the same calls whether or not what
// depends on its parameter alone was decided before.
func TestFoldedCalls(t *testing.T) {
	for name, c := range map[string]struct {
		source     string
		properties map[string]any
	}{
		"selectors": {`
let S = parameter.selector
let One = S.name != "" && len(S.labels) == 0
a: [if One {kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: S.name}}}]
b: [if !One {kube.#List & {$params: {resource: {apiVersion: "v1", kind: "X"}, filter: matchingLabels: S.labels}}}]
c: [for x in b for y in x.$returns.items {kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Y", metadata: name: y.metadata.name}}}]
parameter: selector: {name: *"" | string, labels: [string]: string}
`, map[string]any{"selector": map[string]any{"labels": map[string]any{"a": "b"}}}},
		"optional": {`
a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: {name: [if parameter.name != _|_ {parameter.name}, context.data.metadata.name][0], if parameter.namespace != _|_ {namespace: parameter.namespace}}}}
parameter: {name?: string, namespace?: string}
`, map[string]any{"namespace": "shop"}},
		"numbers": {`
a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: "\(parameter.n * 2)-\(context.data.metadata.name)", spec: {n: parameter.n, f: parameter.f, big: parameter.big, none: parameter.none}}}
parameter: {n: int, f: number, big: int, none: _}
`, map[string]any{"n": 3, "f": 2.0, "big": 9007199254740993, "none": nil}},
		"fault": {`
a: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "X", metadata: name: parameter.names[3]}}
parameter: names: [...string]
`, map[string]any{"names": []any{"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			template, problems := Parse("test", "import \"vela/kube\"\n"+c.source)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var folded, plain answers
			outcome := func(a *answers, change func(*runner)) string {
				run, problems := template.Compile(Options{Executor: a, Properties: c.properties})
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				change(run.(*runner))
				ev := event.Event{Data: map[string]any{"metadata": map[string]any{"name": "settings"}}}
				if err := run.Run(t.Context(), ev); err != nil {
					return err.Error()
				}
				return ""
			}
			got := outcome(&folded, func(*runner) {})
			want := outcome(&plain, unfold)
			if !slices.Equal(folded.calls, plain.calls) || (got == "") != (want == "") {
				t.Errorf("folded:\n%s\n%s\nplain:\n%s\n%s", strings.Join(folded.calls, "\n"), got, strings.Join(plain.calls, "\n"), want)
			}
			if len(folded.calls) == 0 && got == "" {
				t.Error("it does nothing")
			}
		})
	}
}
