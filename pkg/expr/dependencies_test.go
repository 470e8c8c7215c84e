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

package expr_test

import (
	"strings"
	"testing"

	"cuelang.org/go/cue/parser"
	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

func dependencies(t *testing.T, root, source string) expr.FieldSet {
	t.Helper()
	file, err := parser.ParseFile("", source)
	if err != nil {
		t.Fatalf("parse %q: %v", source, err)
	}
	return expr.Dependencies(root, file)
}

// format returns the paths of a set; the empty path is ".".
func format(s expr.FieldSet) string {
	var out []string
	for _, path := range s.Paths() {
		out = append(out, "."+strings.Join(path, "."))
	}
	return strings.Join(out, " ")
}

func TestDependencies(t *testing.T) {
	for _, tt := range []struct{ name, source, want string }{
		{"nothing", `1 + 1`, ""},
		{"selectors", `context.data.metadata.name == "x"`, ".data.metadata.name"},
		{"quoted selector", `context."data".metadata."a-b"`, ".data.metadata.a-b"},
		{"string index", `context.data.metadata.labels["a/b"]`, ".data.metadata.labels.a/b"},
		{"raw string index", `context.data.metadata.labels[#"a\b"#]`, `.data.metadata.labels.a\b`},
		{"after an index", `context.data["spec"].replicas`, ".data.spec.replicas"},
		{"list index", `context.data.status.conditions[0].status`, ".data.status.conditions"},
		{"dynamic index", `context.data.labels[parameter.key].x`, ".data.labels"},
		{"dynamic index of itself", `context.data.labels[context.event.id]`, ".data.labels .event.id"},
		{"slice", `context.data.items[context.data.low:3]`, ".data.items .data.low"},
		{"parentheses", `((context.data).spec).replicas`, ".data.spec.replicas"},
		{"prefix", `[context.data.spec.a, context.data.spec, context.data.spec.b]`, ".data.spec"},
		{"interpolation", `"\(context.data.a)-\(context.data.b.c)"`, ".data.a .data.b.c"},
		{"call", `len(context.data.items) > 1`, ".data.items"},
		{"existence", `context.data.x.y != _|_`, ".data.x.y"},
		{"comprehension", `[for k, v in context.data.labels if context.event.type == "create" {k}]`, ".data.labels .event.type"},
		{"let", `let d = context.data, d.name`, ".data"},
		{"root", `x: context`, "."},
		{"root in a struct", `x: {context}`, "."},
		{"below a field", `a: b: "\(a.c)": context.data.x`, ".data.x"},
		{"computed label", `a: "\(context.data.key)": 1`, ".data.key"},
		{"root as a field of another", `x: {context: _}, y: x.context.data.kind`, "."},
		{"selected root", `y: other.context.data.kind`, ".data.kind"},
		{"indexed root", `y: other["context"].data.kind`, ".data.kind"},
		{"hidden field of the root", `context.data._x.y`, ".data"},

		{"constraint", `context: data: metadata: name: =~"^web-"`, ".data.metadata.name"},
		{"quoted constraint", `"context": "data": "a/b": string`, ".data.a/b"},
		{"two constraints", `context: data: {kind: "Pod", spec: replicas: >1}, context: event: type: "update"`, ".data.kind .data.spec.replicas .event.type"},
		{"empty struct", `context: data: {}`, ""},
		{"open struct", `context: {data: {...}, event: {type: "x", ...}}`, ".event.type"},
		{"pattern", `context: data: labels: [string]: =~"x"`, ".data.labels"},
		{"dynamic field", `context: data: (parameter.x): 1`, ".data"},
		{"interpolated field", `context: data: "\(context.event.id)": 1`, ".data .event.id"},
		{"embedding", `context: data: {a: 1, #D}`, ".data"},
		{"conjunction", `context: data: {a: 1} & {b: c: 2}`, ".data.a .data.b.c"},
		{"reference", `context: data: {a: 1} & #D`, ".data"},
		{"disjunction", `context: data: {a: 1} | {b: 2}`, ".data"},
		{"list", `context: data: items: [...{a: 1}]`, ".data.items"},
		{"close", `context: data: close({a: 1})`, ".data"},
		{"definition is closed", `#F: context: data: a: 1`, "."},
		{"optional", `context: data: a?: int`, ".data.a"},
		{"value of a constraint", `context: data: a: context.data.b.c`, ".data.a .data.b.c"},
		{"lexical reference", `context: {data: {...}, event: type: data.kind}`, ".data.kind .event.type"},
		{"outer lexical reference", `context: {data: {spec: {...}, status: n: spec.n}}`, ".data.spec.n .data.status.n"},
		{"alias of the root", `context: C={data: a: C.event.id}`, "."},
		{"alias of a label", `C=context: {data: a: 1}, x: C.event.id`, "."},
		{"alias below", `context: data: D={a: D.b}`, ".data"},
		{"alias of a label below", `context: D=data: {a: D.b}`, "."},
		{"conditional constraint", `context: data: {if context.event.type == "x" {a: 1}}`, ".data.a .event.type"},
		{"loop in a constraint", `context: data: {for k, v in context.old.labels {(k): v}}`, ".data .old.labels"},
		{"hidden helper", `context: data: {_n: context.old.n, a: _n}`, ".data.a .old.n"},
		{"pattern at the top", `[string]: data: kind: "x"`, "."},
		{"pattern embedded at the top", `{[=~"^c"]: data: kind: "x"}`, "."},
		{"pattern embedded by name", `_p, _p: {[=~"^c"]: data: kind: "x"}`, "."},
		{"pattern elsewhere", `x: [string]: int, context: data: a: 1`, ".data.a"},
		{"data field of the root's name", `context: data: context: C={a: 1, b: C.c}`, ".data.context"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := format(dependencies(t, "context", tt.source)); got != tt.want {
				t.Errorf("paths of %s:\n got %q\nwant %q", tt.source, got, tt.want)
			}
		})
	}
}

func TestDependencies_Returns(t *testing.T) {
	const source = `
import "vela/kube"
get: kube.#Get & {$params: resource: name: "x", $returns: value: data: n: string}
out: "\(get.$returns.value.spec.a)"
if get.$returns.err != _|_ {failed: true}`
	if got, want := format(dependencies(t, "$returns", source)), ".err .value.data.n .value.spec.a"; got != want {
		t.Errorf("paths of $returns: got %q, want %q", got, want)
	}
}

func TestFieldSet_Select(t *testing.T) {
	data := map[string]any{
		"data": map[string]any{
			"metadata": map[string]any{"name": "a", "labels": map[string]any{"app": "x", "b/c": nil}},
			"items":    []any{map[string]any{"n": int64(1)}},
			"none":     nil,
		},
		"event": map[string]any{"type": "update"},
	}
	type object = map[string]any
	for _, tt := range []struct {
		name, source string
		want         map[string]any
	}{
		{"nothing", `1`, object{}},
		{"everything", `context`, data},
		{"leaf", `context.data.metadata.name`, object{"data": object{"metadata": object{"name": "a"}}}},
		{"null", `context.data.metadata.labels["b/c"]`, object{"data": object{"metadata": object{"labels": object{"b/c": nil}}}}},
		{"absent", `context.data.metadata.uid`, object{"data": object{"metadata": object{}}}},
		{"absent parent", `context.data.spec.replicas`, object{"data": object{}}},
		{"absent root", `context.old.a`, object{}},
		{"into a list", `context.data.items.x.y`, object{"data": object{"items": data["data"].(object)["items"]}}},
		{"into null", `context.data.none.x`, object{"data": object{"none": nil}}},
		{"object without fields", `context: data: metadata: {}`, object{"data": object{"metadata": object{}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, dependencies(t, "context", tt.source).Select(data)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFieldSet_Union(t *testing.T) {
	p := dependencies(t, "context", `[context.old.a, context.data.b.c]`)
	q := dependencies(t, "context", `[context.old.a.x, context.data.b.d]`)
	if got, want := format(p.Union(q)), ".data.b.c .data.b.d .old.a"; got != want {
		t.Errorf("union: got %q, want %q", got, want)
	}
	if got, want := format(q.Union(p)), ".data.b.c .data.b.d .old.a"; got != want {
		t.Errorf("union the other way: got %q, want %q", got, want)
	}
	if got, want := format(p), ".data.b.c .old.a"; got != want {
		t.Errorf("p after its union: got %q, want %q", got, want)
	}
	if got, want := format(q.Under("old")), ".a.x"; got != want {
		t.Errorf("under old: got %q, want %q", got, want)
	}
	if u := p.Under("old", "a", "x"); !u.IsAll() {
		t.Errorf("below a selected field: got %q, want all", format(u))
	}
	if u := p.Under("event"); !u.Empty() || u.IsAll() {
		t.Errorf("below another field: got %q, want nothing", format(u))
	}
}
