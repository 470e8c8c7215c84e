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
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// ResultFields is what is known of a result: the names of its fields. It is nil if they are not
// known.
type ResultFields map[string]ResultFields

// ResultFieldsOf returns the fields of the result of a template.
func ResultFieldsOf(file *ast.File) ResultFields {
	var fields ResultFields
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.EmbedDecl: // may have a result, too
			return nil
		case *ast.Comprehension:
			if inner, ok := d.Value.(*ast.StructLit); !ok || slices.ContainsFunc(inner.Elts, isResult) {
				return nil
			}
		case *ast.Field:
			if LabelName(d.Label) != ResultField {
				continue
			}
			part, ok := d.Value.(*ast.StructLit)
			if !ok {
				return nil
			}
			if fields == nil {
				fields = ResultFields{}
			}
			if !fields.add(part) {
				return nil
			}
		}
	}
	return fields
}

// add adds the fields of x, also those under a condition. It returns false if there may be
// others.
func (r ResultFields) add(x *ast.StructLit) bool {
	for _, d := range x.Elts {
		switch d := d.(type) {
		case *ast.Field:
			name := LabelName(d.Label)
			if name == "" {
				return false
			}
			inner, isStruct := d.Value.(*ast.StructLit)
			fields, known := r[name]
			if fields == nil && !known {
				fields = ResultFields{}
			}
			if !isStruct || fields == nil || !fields.add(inner) {
				fields = nil
			}
			r[name] = fields
		case *ast.Comprehension:
			inner, ok := d.Value.(*ast.StructLit)
			if !ok || !r.add(inner) {
				return false
			}
		case *ast.LetClause, *ast.CommentGroup, *ast.Attribute:
		default:
			return false
		}
	}
	return true
}

// Missing returns the problem of a path of fields that the result does not have,
// or "".
func (r ResultFields) Missing(path []string) string {
	for i := 0; i < len(path) && r != nil; i++ {
		next, ok := r[path[i]]
		if !ok {
			known := slices.Sorted(maps.Keys(r))
			if len(known) == 0 {
				known = []string{"no fields"}
			}
			return fmt.Sprintf("%s has no %q%s; it has %s", strings.Join(append([]string{ResultField}, path[:i]...), "."), path[i], diag.Suggest(path[i], known), strings.Join(known, ", "))
		}
		r = next
	}
	return ""
}
