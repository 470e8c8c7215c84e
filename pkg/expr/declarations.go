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
	"maps"
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// field adds the dependencies of a field outside the declarations of root.
func (w *dependencyWalker) field(f *ast.Field, visible scope) {
	w.label(f.Label, visible)
	if IsDefinition(identName(f.Label)) {
		w.definitions++
		defer func() { w.definitions-- }()
	}
	if name, ok := fieldName(f.Label); ok && name == w.root {
		if _, aliased := f.Label.(*ast.Alias); aliased {
			w.add(nil)
		}
		w.constrain(nil, f.Value, visible)
		return
	}
	w.walk(f.Value, visible)
}

// label adds the references in a computed label.
func (w *dependencyWalker) label(l ast.Label, visible scope) {
	switch l := l.(type) {
	case *ast.Ident, *ast.BasicLit:
	case *ast.Alias:
		if inner, ok := l.Expr.(ast.Label); ok {
			w.label(inner, visible)
		}
	default:
		w.walk(l, visible)
	}
}

// constrain adds the dependencies of x, a constraint on the value at path.
func (w *dependencyWalker) constrain(path []string, x ast.Expr, visible scope) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		w.constrain(path, x.X, visible)
	case *ast.Alias:
		w.add(path)
		w.constrain(path, x.Expr, visible)
	case *ast.BinaryExpr:
		if x.Op == token.AND {
			w.constrain(path, x.X, visible)
			w.constrain(path, x.Y, visible)
			return
		}
		w.add(path)
		w.walk(x, visible)
	case *ast.StructLit:
		if w.definitions > 0 {
			w.add(path)
		}
		w.addObject(path)
		w.declarations(path, x.Elts, visible)
	default:
		w.add(path)
		w.walk(x, visible)
	}
}

// declarations adds the dependencies of the declarations in a struct at path.
func (w *dependencyWalker) declarations(path []string, decls []ast.Decl, visible scope) {
	visible = fieldScope(path, decls, visible)
	for _, d := range decls {
		switch d := d.(type) {
		case *ast.Field:
			w.member(path, d, visible)
		case *ast.EmbedDecl:
			w.constrain(path, d.Expr, visible)
		case *ast.Comprehension:
			for _, c := range d.Clauses {
				w.walk(c, visible)
			}
			w.constrain(path, d.Value, visible)
		default:
			w.walk(d, visible)
		}
	}
}

// member adds the dependencies of a field in a struct at path.
func (w *dependencyWalker) member(path []string, f *ast.Field, visible scope) {
	w.label(f.Label, visible)
	if _, ok := f.Label.(*ast.Alias); ok {
		w.add(path)
	}
	name, static := fieldName(f.Label)
	switch {
	case static:
		w.constrain(append(slices.Clip(path), name), f.Value, visible)
	case IsDefinition(identName(f.Label)) || isHidden(f.Label):
		w.walk(f.Value, visible)
	default:
		w.add(path)
		w.walk(f.Value, visible)
	}
}

// fieldScope returns visible with the names of the fields of a struct at path.
func fieldScope(path []string, decls []ast.Decl, visible scope) scope {
	inner := maps.Clone(visible)
	if inner == nil {
		inner = scope{}
	}
	for _, d := range decls {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		if name, ok := fieldName(f.Label); ok {
			inner[name] = append(slices.Clip(inner[name]), append(slices.Clip(path), name))
		}
	}
	return inner
}

// addPatterns adds everything where a pattern or a computed label constrains the
// fields of a file, because it may match root.
func (w *dependencyWalker) addPatterns(decls []ast.Decl, nodes []ast.Node) {
	for _, d := range decls {
		var x ast.Expr
		switch d := d.(type) {
		case *ast.Field:
			if isComputed(d.Label) {
				w.add(nil)
			}
			continue
		case *ast.EmbedDecl:
			x = d.Expr
		case *ast.Comprehension:
			x = d.Value
		default:
			continue
		}
		if s, ok := x.(*ast.StructLit); ok {
			w.addPatterns(s.Elts, nodes)
		} else if slices.ContainsFunc(nodes, hasPattern) {
			w.add(nil)
		}
	}
}

// hasPattern reports whether any field in n has a computed label.
func hasPattern(n ast.Node) bool {
	pattern := false
	ast.Walk(n, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok {
			pattern = pattern || isComputed(f.Label)
		}
		return !pattern
	}, nil)
	return pattern
}
