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

package reference

import (
	"strings"
	"testing"

	"cuelang.org/go/cue/ast"
)

// Function is the documentation of a function of a CUE package.
type Function struct {
	// Name is the name of the definition, such as "#Get", and Usage its comment +usage.
	Name, Usage string
	// Base is the definition that this one narrows, such as `#HTTPDo & {…}`. Then there are
	// no rows.
	Base string
	// Parameters and Returns are rows of Markdown tables: name, type, default and usage of
	// each field. A function without $params has its results among its parameters.
	Parameters, Returns []string
}

// Functions returns the documentation of the functions that a CUE package has.
func Functions(t *testing.T, name, source string) []Function {
	t.Helper()
	r, file := parse(t, name, source)
	r.lenient = true
	var all []Function
	for _, d := range file.Decls {
		field, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		label, _, _ := ast.LabelName(field.Label)
		f := Function{Name: label, Usage: usageOf(field)}
		switch v := field.Value.(type) {
		case *ast.BinaryExpr:
			f.Base = r.text(v)
		case *ast.StructLit:
			if !r.signature(&f, v) {
				continue
			}
		default:
			continue
		}
		all = append(all, f)
	}
	return all
}

// signature adds the rows of a definition. It returns false if it is no function.
func (r *Reference) signature(f *Function, body *ast.StructLit) bool {
	parts := map[string]ast.Expr{}
	rest := &ast.StructLit{}
	for _, d := range body.Elts {
		if field, ok := d.(*ast.Field); ok {
			label, _, _ := ast.LabelName(field.Label)
			parts[label] = field.Value
			if !strings.HasPrefix(label, "#") {
				rest.Elts = append(rest.Elts, field)
			}
		}
	}
	if parts["#do"] == nil {
		return false
	}
	if parts["$params"] == nil && parts["$returns"] == nil {
		f.Parameters = r.rows("", rest)
		return true
	}
	f.Parameters, f.Returns = r.rows("", parts["$params"]), r.rows("$returns", parts["$returns"])
	return true
}

// rows returns the rows of the fields of v.
func (r *Reference) rows(path string, v ast.Expr) []string {
	if v == nil {
		return nil
	}
	r.Rows = nil
	r.fields(path, v, true)
	return r.Rows
}
