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
	"reflect"
	"testing"

	"cuelang.org/go/cue/parser"
)

func TestLoopedInputs(t *testing.T) {
	inputs := map[string]Reference{"$0": {}, "$1": {}}
	for text, want := range map[string]map[string]elementFields{
		`result: [for c in $0 if c.status == "True" {c.type}]`:          {"$0": {"status", "type"}},
		`result: [for c in $0 if c.status == c["type"] {1}]`:            {},
		`result: [for i, c in $0 {c.type}]`:                             {"$0": {"type"}},
		`result: [for c in $0 {"\(c.type)"}]`:                           {"$0": {"type"}},
		`result: [for c in $0 {c}]`:                                     {},
		`result: [for c in $0 {c.type}] + $0`:                           {},
		`result: [for c in $0 {c.type}, for d in $0 {d.status}]`:        {"$0": {"type", "status"}},
		`result: [for c in $0 {c.type}, for d in $0 {d}]`:               {},
		`result: [for c in $0 for d in $1 if c.name == d.ref.name {1}]`: {"$0": {"name"}, "$1": {"ref"}},
		`result: [for c in $0 for d in c.containers {d.image}]`:         {"$0": {"containers"}},
		`result: [for c in $0 {c: 1, d: c}]`:                            {"$0": {}}, // not the variable
		`result: [for c in $0 {1}]`:                                     {"$0": {}},
		`result: len($0) > 1`:                                           {},
		`result: [for c in $0 let d = c {d.type}]`:                      {},
		`result: [for c in $0 if c.#x == 1 if c._y == 2 {1}]`:           {"$0": {"#x", "_y"}},
	} {
		file, err := parser.ParseFile("x.cue", text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := loopedInputs(file.Decls, inputs); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestElementFields_SelectAll(t *testing.T) {
	e := elementFields{"a", "b"}
	for _, c := range []struct{ in, want any }{
		{[]any{map[string]any{"a": 1, "c": 2}, "x", nil}, []any{map[string]any{"a": 1}, "x", nil}},
		{map[string]any{"k": map[string]any{"b": nil, "c": 2}}, map[string]any{"k": map[string]any{"b": nil}}},
		{"text", "text"},
		{nil, nil},
	} {
		if got := e.selectAll(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.in, got, c.want)
		}
	}
}
