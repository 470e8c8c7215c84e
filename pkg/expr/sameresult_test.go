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
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// CUE has the same result with the fields that Dependencies returns as with all
// fields. Each source is evaluated with each event, both ways.
func TestDependencies_SameResult(t *testing.T) {
	sources := strings.Split(handwritten, "\n---\n")
	g := &generator{rand.New(rand.NewPCG(1, 2))}
	for range 1500 {
		sources = append(sources, g.file())
	}
	narrowed, concrete := 0, 0
	for _, source := range sources {
		for _, data := range events(t) {
			file, err := parser.ParseFile("", source)
			if err != nil {
				t.Fatalf("parse %q: %v", source, err)
			}
			selected := expr.Dependencies("context", file).Select(data)
			if len(fmt.Sprint(selected)) < len(fmt.Sprint(data)) {
				narrowed++
			}
			all, some := evaluate(file, data), evaluate(file, selected)
			if all != some {
				t.Errorf("%s\nwith %v\nselected %v\nall  %s\nsome %s", source, data, selected, all, some)
			}
			if strings.Contains(all, `":"`) {
				concrete++
			}
		}
	}
	if n := len(sources) * len(events(t)); narrowed < n/2 || concrete < n/10 {
		t.Errorf("of %d evaluations only %d had less than all data, and only %d had a result", n, narrowed, concrete)
	}
}

func FuzzDependencies(f *testing.F) {
	for _, source := range strings.Split(handwritten, "\n---\n") {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		// Skip expressions that take CUE very long, or all memory.
		if len(source) > 300 || strings.ContainsAny(source, "*") || strings.Count(source, "for") > 1 {
			return
		}
		file, err := panicerr.Call(func() (*ast.File, error) { return parser.ParseFile("", source) })
		if err != nil {
			return
		}
		for _, data := range events(t) {
			selected := expr.Dependencies("context", file).Select(data)
			if all, some := evaluate(file, data), evaluate(file, selected); all != some {
				t.Errorf("%s\nwith %v\nselected %v\nall  %s\nsome %s", source, data, selected, all, some)
			}
		}
	})
}

// evaluate returns the result of file with context: whether context is valid and
// complete, and the values of all other top-level fields.
func evaluate(file *ast.File, context map[string]any) (out string) {
	defer func() {
		if p := recover(); p != nil {
			out = "panic"
		}
	}()
	ctx := cuecontext.New()
	v := ctx.BuildFile(file)
	if v.Err() != nil {
		return "does not compile"
	}
	v = v.FillPath(cue.ParsePath("context"), ctx.Encode(context, cue.NilIsAny(false)))
	c := v.LookupPath(cue.ParsePath("context"))
	result := fmt.Sprintf("accepted: %v, complete: %v, result: ", c.Validate() == nil, c.Validate(cue.Concrete(true)) == nil)
	fields, err := v.Fields(cue.Hidden(true))
	if err != nil {
		return result + "none"
	}
	values := map[string]string{}
	for fields.Next() {
		name := fields.Selector().String()
		if name == "context" {
			continue
		}
		b, err := fields.Value().MarshalJSON()
		if err != nil {
			b = []byte("none")
		}
		values[name] = string(b)
	}
	b, err := json.Marshal(values)
	if err != nil {
		return err.Error()
	}
	return result + string(b)
}

func events(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, s := range []string{
		`{"event": {"type": "update"}, "data": {"kind": "Pod", "n": 1, "m": {"name": "web-1", "l": {"app": "web", "a/b": "x"}}, "items": [{"n": 1, "s": "a"}, {"n": 2}], "s": {"n": 3, "r": 3}}, "old": {"n": 0}}`,
		`{"event": {"type": "create"}, "data": {"kind": "web", "m": {"l": {}}, "items": [], "s": {"n": 3, "r": 2.0}}}`,
		`{"event": {"type": "delete"}, "data": {"kind": "Job", "n": "1", "m": "text", "items": {"n": 1}, "s": null}, "old": {"kind": "Pod", "n": 1}}`,
		`{"event": {}, "data": {}}`,
	} {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

const handwritten = `out: context.data.m.l["a/b"] == "x"
---
out: len(context.data.items) > 1 && context.data.items[0].n == 1
---
out: [for k, v in context.data.m.l {"\(k)=\(v)"}]
---
out: {for k, v in context.data.m.l {(k): v}}
---
let d = context.data
out: d.s.n == d.s.r
---
out: context.data.n != _|_
---
out: {if context.old != _|_ {was: context.old.n}, if context.old == _|_ {was: "nothing"}}
---
out: context.data & {kind: "Pod"}
---
out: "\(context.data.kind)-\(context.event.type)"
---
out: [context.data.n, 0][0]
---
out: *context.data.m.name | "none"
---
out: context["data"]["m"]["l"].app
---
out: context.data.items[0:1]
---
out: {"a": context}.a.data.kind
---
x: context
out: x.data.kind
---
context: data: m: name: =~"^web-"
---
context: data: s: {n: >1, r: n}
---
context: {data: {...}, event: {...}}
out: context.data.kind
---
context: C={data: n: C.data.s.n}
---
context: {data: {...}, out: data.kind}
---
context: data: m: l: [string]: =~"e"
---
context: data: m: l: {[=~"a"]: "x" | "web"}
---
context: data: close({kind: string, n: _})
---
#F: {context: data: kind: string}
#F
---
#D: {kind: string, ...}
context: data: #D
---
context: data: {kind: "Pod"} | {kind: "Job"}
out: context.data.kind
---
context: data: m: {}
---
context: data: n?: int
---
context: data: n!: int
---
context: data: {_k: kind, kind: string, k2: _k}
---
context: data: {if context.event.type == "update" {kind: "Pod"}}
---
{[=~"^con"]: data: kind: "Pod"}
---
_p
_p: {[=~"^con"]: data: kind: "Pod"}
---
context: data: items: [...{n: int}]
---
import "struct"
context: data: m: struct.MinFields(2)
---
import "list"
out: list.Contains([for i in context.data.items {i.n}], 2)
---
import "strings"
out: strings.HasPrefix(context.data.m.name, "web")
---
import "encoding/json"
out: json.Marshal(context.data.m)
---
K=context: data: {...}
out: K.data.kind
---
_h: {data: kind: "Pod"}
context: _h
---
context: {data: _d, _d: {kind: "Pod"}}
---
context: data: (context.event.type): _
---
context: data: "\(context.data.kind)": _`
