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
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
)

// DeclaredRights returns the fields of an action that its rights depend on: `rights`, fields of
// `parameter`, and definitions, without attributes. It returns nil if the action declares no
// rights.
func DeclaredRights(file *ast.File) *ast.StructLit {
	fields := fieldsByName(file.Decls)
	declared := fields["rights"]
	if declared == nil {
		return nil
	}
	out, parameter := &ast.StructLit{}, &ast.StructLit{}
	properties := &ast.StructLit{}
	if f := fields["parameter"]; f != nil {
		if s, ok := f.Value.(*ast.StructLit); ok {
			properties = s
		}
	}
	var add func(f *ast.Field)
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			n.Attrs = nil
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "parameter" {
				name, _, _ := ast.LabelName(n.Sel)
				if f := fieldsByName(properties.Elts)[name]; f != nil && !slices.Contains(parameter.Elts, ast.Decl(f)) {
					parameter.Elts = append(parameter.Elts, f)
					add(f)
				}
			}
		case *ast.Ident:
			if f := fields[n.Name]; f != nil && strings.HasPrefix(n.Name, "#") && !slices.Contains(out.Elts, ast.Decl(f)) {
				out.Elts = append(out.Elts, f)
				add(f)
			}
		}
		return true
	}
	add = func(f *ast.Field) { ast.Walk(f, visit, nil) }
	add(declared)
	out.Elts = append(out.Elts, declared, &ast.Field{Label: ast.NewIdent("parameter"), Value: parameter})
	return out
}

// fieldsByName returns the fields among declarations by name.
func fieldsByName(decls []ast.Decl) map[string]*ast.Field {
	fields := map[string]*ast.Field{}
	for _, d := range decls {
		if f, ok := d.(*ast.Field); ok {
			if name, _, err := ast.LabelName(f.Label); err == nil {
				fields[name] = f
			}
		}
	}
	return fields
}
