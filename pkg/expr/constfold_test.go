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

package expr

import (
	"strings"
	"testing"

	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
)

// TestFoldConstants shows which expressions are evaluated for each event.
func TestFoldConstants(t *testing.T) {
	const needed = "// needed\n"
	const parameter = `parameter: {name: "web", all: false, n: 2, labels: {a: "b"}, list: ["x"], none: ""}` + "\n"
	for name, c := range map[string]struct{ source, want string }{
		"scalar":          {`a: parameter.name + "-x"`, needed + `a: parameter.name + "-x"`}, // the whole declaration is constant
		"in a field":      {`a: {b: parameter.name + "-x", c: context.x}`, `a: {b: "web-x", c: context.x}`},
		"interpolation":   {`a: {b: "\(parameter.name)-\(context.x)"}`, `a: {b: "\("web")-\(context.x)"}`},
		"through a let":   {"let N = parameter.name\na: [N, context.x]", `a: ["web", context.x]`},
		"through a field": {"n: parameter.n + 1\na: [n, context.x]", needed + "n: parameter.n + 1\na: [3, context.x]"},
		"absent":          {`a: [if parameter.other != _|_ {parameter.other}, context.x]`, `a: [context.x]`},
		"absent, used":    {`a: [parameter.other, context.x]`, needed + `a: [parameter.other, context.x]`},
		"first":           {`a: [if parameter.none != "" {parameter.none}, context.x][0]`, `a: context.x`},
		"first, constant": {`a: [if parameter.name != "" {context.x}, context.y][0]`, `a: context.x`},
		"first, open":     {`a: [if context.b {1}, if parameter.all {2}, 3][0]`, `a: [if context.b {1}, 3][0]`},
		"branches":        {"if parameter.all {a: context.x}\nif !parameter.all {b: context.x}", "if true {b: context.x}"},
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
		"call":     {"a: {#do: \"get\"}\nb: [*a.$returns.x | 1, parameter.n, context.x]", "a: {#do: \"get\"}\nb: [*a.$returns.x | 1, 2, context.x]"},
		"varying":  {`a: {b: *context.x | 1}`, `a: {b: *context.x | 1}`},
		"added by a condition": {
			"n: 1\nif context.b {n: _}\na: [*n | 1, parameter.n]", "n: 1\nif context.b {n: _}\na: [*n | 1, 2]",
		},
		"constrained by a pattern": {"[string]: _\na: [parameter.n, context.x]", needed + "[string]: _\na: [parameter.n, context.x]"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := parser.ParseFile("x.cue", parameter+"context: _\n"+c.source)
			if err != nil {
				t.Fatal(err)
			}
			if err := Resolve(file); err != nil {
				t.Fatal(err)
			}
			if err := FoldConstants(file, []string{"context"}, nil); err != nil {
				t.Fatal(err)
			}
			got, err := format.Node(file)
			if err != nil {
				t.Fatal(err)
			}
			want := "context: _\n" + c.want
			if rest, ok := strings.CutPrefix(c.want, needed); ok {
				want = parameter + "context: _\n" + rest
			}
			if withoutSpace(string(got)) != withoutSpace(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func withoutSpace(text string) string { return strings.Join(strings.Fields(text), "") }

// TestFoldConstants_Parts folds what depends on other parts of the parameter than those
// that vary.
func TestFoldConstants_Parts(t *testing.T) {
	const source = `context: _
$message0: string
parameter: {name: "web", url: {secretRef: name: "chat"}, message: $message0, to: [{type: "slack", text: $message0}]}
let Message = parameter.message + "!"
a: {url: parameter.url.secretRef, n: parameter.name + "-x", m: Message, t: [for t in parameter.to {t.type}], all: parameter, x: context.x}
`
	file, err := parser.ParseFile("x.cue", source)
	if err != nil {
		t.Fatal(err)
	}
	if err := Resolve(file); err != nil {
		t.Fatal(err)
	}
	if err := FoldConstants(file, []string{"context", "$message0"}, [][]string{{"message"}, {"to", "[0]", "text"}}); err != nil {
		t.Fatal(err)
	}
	got, err := format.Node(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `a: {url: {name: "chat"}, n: "web-x", m: Message, t: [for t in parameter.to {t.type}], all: parameter, x: context.x}`
	if !strings.Contains(withoutSpace(string(got)), withoutSpace(want)) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
