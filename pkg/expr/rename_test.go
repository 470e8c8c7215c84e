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
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// marshal encodes v as CUE does.
func marshal(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func FuzzRenaming(f *testing.F) {
	f.Add("a", "x \"y\" \\ <&> \u2028 \x01 é", "kept")
	f.Add("", "~", "\\\"")
	f.Fuzz(func(t *testing.T, a, b, kept string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		data := map[string]any{a: b, "list": []any{map[string]any{b: a, "kept": kept}}}
		original := marshal(t, data)
		r := expr.NewNames(expr.NameUse{Source: expr.NameSet{"list": true, "kept": true}}).Begin()
		renamed, err := r.Rename(data)
		if err != nil {
			t.Fatal(err)
		}
		if marshal(t, data) != original {
			t.Fatal("the data was changed")
		}
		// As it is, as JSON, as JSON in JSON, and so on.
		nested := any(renamed)
		want := any(data)
		for depth := range 4 {
			got := r.Restore(map[string]any{"v": copyOf(t, nested)})
			if expected := copyOf(t, map[string]any{"v": want}); !reflect.DeepEqual(parseAll(got, depth), parseAll(expected, depth)) {
				t.Fatalf("depth %d:\n got %v\nwant %v", depth, got, expected)
			}
			nested, want = marshal(t, nested), marshal(t, want)
		}
	})
}

// copyOf returns a deep copy of v.
func copyOf(t *testing.T, v any) any {
	t.Helper()
	var out any
	if err := json.Unmarshal([]byte(marshal(t, v)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// parseAll parses the JSON in v as often as it was encoded, because the order of fields
// differs.
func parseAll(v any, depth int) any {
	v = v.(map[string]any)["v"]
	for range depth {
		var parsed any
		if err := json.Unmarshal([]byte(v.(string)), &parsed); err != nil {
			return err
		}
		v = parsed
	}
	return v
}

// TestRenaming_Bounded renames many different names: the aliases are always the same.
func TestRenaming_Bounded(t *testing.T) {
	names, aliases := expr.NewNames(expr.NameUse{}), map[string]bool{}
	for i := range 100 {
		data := map[string]any{}
		for j := range 10 {
			data[fmt.Sprint(i, "-", j)] = true
		}
		renamed, err := names.Begin().Rename(data)
		if err != nil {
			t.Fatal(err)
		}
		for alias := range renamed {
			aliases[alias] = true
		}
	}
	if len(aliases) != 10 {
		t.Errorf("%d aliases for objects with 10 fields", len(aliases))
	}
}

func TestRenaming_Order(t *testing.T) {
	r := expr.NewNames(expr.NameUse{Looped: expr.LoopedFields{Results: expr.NameSet{"looped": true}}}).Begin()
	renamed, err := r.Rename(map[string]any{"b": 1, "a": 2, "c": 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rename(map[string]any{"a": []any{map[string]any{"looped": map[string]any{}}}}); !errors.Is(err, expr.ErrRenaming) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Rename(map[string]any{"context": map[string]any{"looped": map[string]any{}}}); err != nil {
		t.Error("not looped in context:", err)
	}
	if got := r.Text(marshal(t, renamed)); got != `{"a":2,"b":1,"c":3}` {
		t.Error(got)
	}
}

func TestUseOfNames(t *testing.T) {
	for source, want := range map[string]bool{
		`x: context.data`: false,
		`x: {for k, v in context.data if k != "a" || "b" == k {(k): v}}`:         false,
		`x: len(context.data) > 3`:                                               false,
		`x: [string]: string`:                                                    false,
		`x: body: json.Marshal({a: json.Marshal(context.data)})`:                 false,
		"let B = json.Marshal(context.data)\nx: call & {body: [if true {B}][0]}": false,
		`x: strings.Join(context.data.list, ",")`:                                false,
		`x: context.data["a"].b`:                                                 false,
		`x: json.Unmarshal(context.data.n) + 1`:                                  false,
		`parameter: key: "a"` + "\nx: (parameter.key): context.data":             false,

		`x: [for k, v in context.data {k}]`:                                               true,
		`x: {for k, v in context.data {"\(k)-x": v}}`:                                     true,
		`x: {for k, v in context.data if k > "a" {(k): v}}`:                               true,
		`x: {for k, v in context.data if k != context.data.name {(k): v}}`:                true,
		`x: [for k, v in context.data {name: k}]`:                                         true,
		`x: {for k, v in context.data {(v): k}}`:                                          true,
		`x: [=~"a"]: string`:                                                              true,
		`x: [Name=string]: {name: Name}`:                                                  true,
		`x: len(json.Marshal(context.data))`:                                              true,
		`x: "\(json.Marshal(context.data))"`:                                              true,
		`x: strings.ToLower(json.Marshal(context.data))`:                                  true,
		"let B = json.Marshal(context.data)\nx: strings.ToLower(B)":                       true,
		"a: {b: json.Marshal(context.data)}\nx: a.b + \"\"":                               true,
		"a: [json.Marshal(context.data)]\nx: [for y in a {len(y)}]":                       true,
		"a: b: json.Marshal(context.data)\nlet C = a\nx: {y: C, z: strings.ToLower(C.b)}": true,
		`x: json.Marshal(context.data) =~ "a"`:                                            true,
		`x: {if json.Marshal(context.data) != "" {a: 1}}`:                                 true,
		`x: json.Unmarshal(context.data.text)`:                                            true,
		`x: json.Unmarshal(context.data.text) + context.data.text`:                        true,
		`x: yaml.Marshal(context.data)`:                                                   true,
		`x: template.Execute(context.data.text, context)`:                                 true,
		`x: context.data[context.data.key]`:                                               true,
		`x: (context.data.key): 1`:                                                        true,
		`x: [for y in {for k, v in context.data {(k): v}} {y}]`:                           true,
		`x: [for y in context.data.list for z in y {z}]`:                                  true,
		`x: or(context.data.list)`:                                                        true,
	} {
		text := "import (\n\"encoding/json\"\n\"encoding/yaml\"\n\"strings\"\n\"text/template\"\n)\n" + source
		file, err := parser.ParseFile("x.cue", text+"\ncontext: _\ncall: _\n_u: [json.Valid, yaml.Valid, strings.X, template.X]")
		if err != nil {
			t.Fatal(source, err)
		}
		if got := expr.UseOfNames(file).Observed; got != want {
			t.Errorf("%s: %v", source, got)
		}
	}
}

func TestUseOfNames_Fields(t *testing.T) {
	file, err := parser.ParseFile("x", `
context: _
read: _
let L = [if context.data.kind == "x" {context.data.optional}, context.data.labels][0]
a: [for x in *read.$returns.items | [] for y in x["sub steps"] {y}]
b: [for x in L {x}]
c: [for r in read {r}]
d: {for k, v in context.data {(k): v}}
e: {b.c["d e"], "f/g"?: 1, _h: #I}
#I: 1
`)
	if err != nil {
		t.Fatal(err)
	}
	use := expr.UseOfNames(file)
	for _, want := range []string{"a", "b", "c", "d e", "f/g", "_h", "#I"} {
		if !use.Source[want] {
			t.Errorf("%q is missing in %v", want, use.Source)
		}
	}
	inContext, inResults := expr.NameSet{"optional": true, "labels": true}, expr.NameSet{"items": true, "sub steps": true, "read": true, "L": true}
	if use.Observed || !maps.Equal(use.Looped.Context, inContext) || !maps.Equal(use.Looped.Results, inResults) {
		t.Errorf("looped %v, observed %v", use.Looped, use.Observed)
	}
}
