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

package closure

import (
	"maps"
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

func sortedKeys(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

// structure is `{a: x, b: y}`.
func (c *compiler) structure(x *ast.StructLit) (code, error) {
	names, values := make([]string, 0, len(x.Elts)), make([]code, 0, len(x.Elts))
	whole := code{constant: true}
	for _, d := range x.Elts {
		f, ok := d.(*ast.Field)
		if !ok {
			return code{}, unsupported(d, "a struct with more than fields")
		}
		if _, aliased := f.Label.(*ast.Alias); aliased {
			return code{}, unsupported(d, "a field with an alias")
		}
		name, internal, err := ast.LabelName(f.Label)
		id, ident := f.Label.(*ast.Ident)
		switch {
		case err != nil:
			return code{}, unsupported(d, "a field with a computed name")
		case internal && ident && (id.Name[0] == '_' || id.Name[0] == '#'):
			return code{}, unsupported(d, "a field that is hidden or a definition")
		case f.Constraint != token.ILLEGAL || slices.Contains(names, name):
			return code{}, unsupported(d, "a field that is optional or occurs twice")
		}
		v, err := c.compile(f.Value)
		if err != nil {
			return code{}, err
		}
		names, values = append(names, name), append(values, v)
		whole.constant, whole.choice = whole.constant && v.constant, whole.choice || v.choice
	}
	whole.eval = func(f *frame) (any, Status) {
		object := make(map[string]any, len(names))
		for i, v := range values {
			var s Status
			if object[names[i]], s = v.eval(f); s != Present {
				return nil, Unknown
			}
		}
		return object, Present
	}
	return whole, nil
}
