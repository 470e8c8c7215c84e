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

package source_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/source"
)

func TestParsePath(t *testing.T) {
	for _, tc := range []struct {
		input string
		want  source.Path
		text  string
	}{
		{`data`, source.Path{"data"}, `data`},
		{`spec.template`, source.Path{"spec", "template"}, `spec.template`},
		{`metadata.labels["a/b"]`, source.Path{"metadata", "labels", "a/b"}, `metadata.labels["a/b"]`},
		{`metadata.labels."a/b"`, source.Path{"metadata", "labels", "a/b"}, `metadata.labels["a/b"]`},
		{`data["#x"]._y`, nil, `objects have no field _y`},
		{`data["#x"]`, source.Path{"data", "#x"}, `data["#x"]`},
		{``, nil, `must be the path of a field, such as spec.template or metadata.labels["a/b"], not ""`},
		{`data.`, nil, `must be the path of a field, such as spec.template or metadata.labels["a/b"], not "data."`},
		{`data + 1`, nil, `must be the path of a field, such as spec.template or metadata.labels["a/b"], not "data + 1"`},
		{`spec.containers[0].image`, nil, `"[0].image": list elements cannot be compared; use the path of the list`},
		{`#data`, nil, `objects have no field #data`},
		{`context.data.spec`, nil, `"context.data.spec": must start at a field of the object, such as spec or metadata, not at context`},
		{`metadata.managedFields`, nil, `"metadata.managedFields": is not available to triggers`},
	} {
		got, err := source.ParsePath(tc.input)
		text := got.String()
		if err != nil {
			text = err.Error()
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || text != tc.text {
			t.Errorf("%s: %s, %s", tc.input, text, diff)
		}
	}
}

// FuzzParsePath checks that the string of a parsed path parses to the same path.
func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{`data`, `metadata.labels["a/b"]`, `a."b"."\u0000"`, `a[0]`, `a?`, `_a.#b`, "a.\"\"\"\n\tb\n\t\"\"\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := source.ParsePath(text)
		if err != nil {
			return
		}
		again, err := source.ParsePath(p.String())
		if err != nil || p.Compare(again) != 0 {
			t.Errorf("%q is %q, which is %q, %v", text, p, again, err)
		}
	})
}

func TestPath_Lookup(t *testing.T) {
	object := map[string]any{"a": map[string]any{"b": nil, "c": "d"}}
	for _, tc := range []struct {
		path source.Path
		want any
		ok   bool
	}{
		{source.Path{"a", "c"}, "d", true},
		{source.Path{"a", "b"}, nil, true},
		{source.Path{"a", "x"}, nil, false},
		{source.Path{"a", "c", "x"}, nil, false},
		{source.Path{"a", "b", "x"}, nil, false},
	} {
		if got, ok := tc.path.Lookup(object); got != tc.want || ok != tc.ok {
			t.Errorf("%s: %v, %v", tc.path, got, ok)
		}
	}
}
