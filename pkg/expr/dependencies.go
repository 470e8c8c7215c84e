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

	"cuelang.org/go/cue/ast"
)

// Dependencies returns the fields that nodes depend on, of the values called root.
// Root is an identifier (`context.data.kind`) or a field (`get.$returns.value`).
// Static selectors and indices ("app", "a/b") narrow the set; a dynamic one adds the
// whole value that it is applied to. Fields that nodes declare below root
// (`context: data: kind: "Pod"`) belong to the set, because they constrain the value.
//
// Root is recognized by its name alone. A value with a `$returns` that is used
// without naming it, as in `json.Marshal(get)`, is not a dependency on `$returns`.
func Dependencies(root string, nodes ...ast.Node) FieldSet {
	w := &dependencyWalker{root: root, fields: &fieldNode{}}
	for _, n := range nodes {
		w.walk(n, nil)
		if file, ok := n.(*ast.File); ok {
			w.addPatterns(file.Decls, nodes)
		}
	}
	if !w.referenced {
		return FieldSet{}
	}
	return FieldSet{w.fields}
}

// scope maps the names that are in scope to the paths below root that they may refer
// to.
type scope map[string][][]string

// dependencyWalker collects the dependencies of syntax trees.
type dependencyWalker struct {
	root string
	// definitions counts the definitions around the current node. A definition is
	// closed, and so depends on every field.
	definitions int

	fields     *fieldNode
	referenced bool
}

func (w *dependencyWalker) add(path []string)       { w.referenced = true; w.fields.add(path) }
func (w *dependencyWalker) addObject(path []string) { w.referenced = true; w.fields.addObject(path) }

// walk adds the references in n. visible is nil outside declarations of root.
func (w *dependencyWalker) walk(n ast.Node, visible scope) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			w.field(n, visible)
			return false
		case *ast.LetClause:
			w.walk(n.Expr, visible)
			return false
		case *ast.Alias:
			w.walk(n.Expr, visible)
			return false
		case *ast.ForClause:
			w.walk(n.Source, visible)
			return false
		case *ast.ImportDecl, *ast.Package, *ast.CommentGroup:
			return false
		case ast.Expr:
			return !w.reference(n, visible)
		}
		return true
	}, nil)
}

// reference adds the path that x is, and the references in its indices. It returns
// false where x is not a path.
func (w *dependencyWalker) reference(x ast.Expr, visible scope) bool {
	c, ok := w.path(x, visible)
	if !ok {
		return false
	}
	for _, p := range c.paths {
		w.add(p)
	}
	for _, rest := range c.indices {
		w.walk(rest, visible)
	}
	return true
}

// pathExpr is an expression that refers to paths below root.
type pathExpr struct {
	// paths are the paths that the expression may refer to.
	paths [][]string
	// truncated is set after a dynamic selector or index: further ones do not
	// narrow the paths.
	truncated bool
	// indices are the dynamic indices, and the operand that root is selected from.
	indices []ast.Expr
}

func (c pathExpr) child(name string) pathExpr {
	if c.truncated {
		return c
	}
	longer := make([][]string, len(c.paths))
	for i, p := range c.paths {
		longer[i] = append(slices.Clip(p), name)
	}
	c.paths = longer
	return c
}

func (c pathExpr) truncate(rest ...ast.Expr) pathExpr {
	c.truncated = true
	for _, x := range rest {
		if x != nil {
			c.indices = append(slices.Clip(c.indices), x)
		}
	}
	return c
}

func (w *dependencyWalker) path(x ast.Expr, visible scope) (pathExpr, bool) {
	switch x := x.(type) {
	case *ast.Ident:
		paths := slices.Clip(visible[x.Name])
		if x.Name == w.root {
			paths = append(paths, nil)
		}
		return pathExpr{paths: paths}, len(paths) > 0
	case *ast.ParenExpr:
		return w.path(x.X, visible)
	case *ast.SelectorExpr:
		name, static := fieldName(x.Sel)
		c, ok := w.path(x.X, visible)
		switch {
		case !ok && name == w.root:
			return pathExpr{paths: [][]string{nil}, indices: []ast.Expr{x.X}}, true
		case !ok:
			return c, false
		case !static:
			return c.truncate(), true
		}
		return c.child(name), true
	case *ast.IndexExpr:
		name, static := stringLiteral(x.Index)
		c, ok := w.path(x.X, visible)
		switch {
		case !ok && static && name == w.root:
			return pathExpr{paths: [][]string{nil}, indices: []ast.Expr{x.X}}, true
		case !ok:
			return c, false
		case static:
			return c.child(name), true
		}
		return c.truncate(x.Index), true
	case *ast.SliceExpr:
		c, ok := w.path(x.X, visible)
		return c.truncate(x.Low, x.High), ok
	}
	return pathExpr{}, false
}
