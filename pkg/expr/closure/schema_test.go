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

package closure_test

import (
	"encoding/json"
	"errors"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// types are types of parameters.
var types = []string{
	`string`, `int`, `number`, `bool`, `_`, `"a"`, `-3`, `null`,
	`*"a" | "b" | string`, `*2 | int & >=0`, `int & >0 & <=9`, `number & !=2`, `=~"^[a-z]+$"`, `string & !~"x"`,
	`[...]`, `[...string]`, `[string, ...]`, `[string, int]`, `[string, ...int]`, `[...{name: string, n: *1 | int}]`, `[...=~"^a"]`,
	`{}`, `{...}`, `{a: int, [string]: >0}`, `{d: *"x" | string, b: *1 | int, a: string, ...}`, `{a: string, b?: int, c!: string, d: *"x" | string}`, `{[string]: string}`, `{a: int, [string]: _}`,
	`{a?: {b: *1 | int}, c: {d: *"y" | string}}`,
	`{...} | [...] | number | bool`,
	`*{type: "merge", data?: {...}, remove?: [...string]} | {type: "json", data!: [...{...}]} | {type: "strategic", data!: {...}}`,
	`{a: string} | {b: string}`, `{a: string} | {a: string, b?: int}`, `{a: *1 | int} | string`, `*[] | [...int]`,
}

// typed are values for types, as JSON.
var typed = []string{
	`null`, `true`, `"a"`, `"b"`, `"x"`, `"ab"`, `""`, `0`, `1`, `2`, `-3`, `9`, `10`, `2.5`, `2.0`, `9007199254740993`, `1e400`,
	`[]`, `["a"]`, `["a", 1]`, `[{"name": "x"}, {"name": "y", "n": 7}]`, `[{"n": 1}]`, `[{}]`,
	`{}`, `{"a": "x"}`, `{"a": "x", "c": "y"}`, `{"a": "x", "c": "y", "b": 3, "d": "z"}`, `{"a": "x", "c": "y", "e": 1}`, `{"a": 1}`, `{"a": 1, "z": []}`,
	`{"a": {}}`, `{"a": {"b": 5}, "c": {"d": "q"}}`, `{"b": "x"}`, `{"a": "x", "b": 2}`,
	`{"data": {"x": 1}}`, `{"type": "merge", "remove": ["x"]}`, `{"type": "json", "data": [{"op": "add"}]}`, `{"type": "json"}`, `{"type": "strategic", "data": {"a": {}}}`,
	`{"type": "other"}`, `{"data": []}`, `{"data": 1}`,
}

// A value has a type, with defaults, as in CUE, or only CUE can tell.
func TestSchema_SameAsCUE(t *testing.T) {
	completed := 0
	for _, text := range types {
		file, err := parser.ParseFile("type", "#parameter: "+text)
		if err != nil {
			t.Fatal(err)
		}
		if err := expr.Resolve(file); err != nil {
			t.Fatal(err)
		}
		schema, err := closure.CompileSchema(file.Decls[0].(*ast.Field).Value) //nolint:forcetypeassert // it is one
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, value := range typed {
			want, ok := completeByCUE(t, text, value)
			v, err := number.Unmarshal([]byte(value))
			if err != nil {
				t.Fatal(err)
			}
			got, s := schema.Complete(v)
			if s != closure.Present {
				if ok && value != `1e400` {
					t.Logf("%s of %s: only CUE can tell: %s", value, text, want)
				}
				continue
			}
			completed++
			encoded, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if got := canonical(encoded); !ok || got != canonical([]byte(want)) {
				t.Errorf("%s of %s: got %s, in CUE %s (%v)", value, text, got, want, ok)
			}
			if got, s := schema.CompleteJSON(v); s == closure.Present && got != want {
				t.Errorf("%s of %s: got the JSON %s, in CUE %s", value, text, got, want)
			}
		}
	}
	if completed < 200 {
		t.Errorf("only %d values have a type", completed)
	}
}

// The value of a field is not the type of another one that names it.
func TestCompileSchema_OtherField(t *testing.T) {
	for _, text := range []string{`{a: string, b: a}`, `{a: string, b: *a | string}`, `{a: int, b: [...a]}`} {
		file, err := parser.ParseFile("type", "#parameter: "+text)
		if err == nil {
			err = expr.Resolve(file)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = closure.CompileSchema(file.Decls[0].(*ast.Field).Value) //nolint:forcetypeassert // it is one
		if unsupported := (*closure.UnsupportedError)(nil); !errors.As(err, &unsupported) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// completeByCUE returns the JSON of a value with the defaults of a type; false if it does not have the type.
func completeByCUE(t *testing.T, text, value string) (string, bool) {
	t.Helper()
	ctx := cuecontext.New()
	v := ctx.CompileString("#parameter: " + text + "\nparameter: #parameter")
	v = v.FillPath(cue.ParsePath("parameter"), ctx.CompileString(sortedFields(t, value))).LookupPath(cue.ParsePath("parameter"))
	if v.Validate(cue.Concrete(true)) != nil {
		return "", false
	}
	encoded, err := v.MarshalJSON()
	if err != nil {
		return "", false
	}
	return string(encoded), true
}

// sortedFields returns JSON with the fields of structs in the order of their names.
func sortedFields(t *testing.T, text string) string {
	t.Helper()
	v, err := number.Unmarshal([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}
