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
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// Of returns what nodes can depend on of the values called root, be root an
// identifier (`context.data.kind`) or a field of something else
// (`get.$returns.value`). Static selectors and indices ("app", "a/b") narrow
// it; anything dynamic takes the value that it is applied to. Fields that nodes
// declare below root (`context: data: kind: "Pod"`) count as well, because they
// constrain the value.
//
// Of sees root by its name alone. Where a value that holds a `$returns` is used
// without naming it, as in `json.Marshal(get)`, ask for References("get").
func Of(root string, nodes ...ast.Node) Projection {
	return of(root, true, nodes)
}

// References is Of without the fields that nodes declare below root.
func References(root string, nodes ...ast.Node) Projection {
	return of(root, false, nodes)
}

func of(root string, declared bool, nodes []ast.Node) Projection {
	w := &walker{root: root, declared: declared, taken: &node{}}
	for _, n := range nodes {
		w.walk(n, nil)
		if file, ok := n.(*ast.File); ok && declared {
			w.embedded(file.Decls, nodes)
		}
	}
	if !w.found {
		return Projection{}
	}
	return Projection{w.taken}
}

// scope maps the names that are visible somewhere to the paths below root that
// they may stand for.
type scope map[string][][]string

type walker struct {
	root     string
	declared bool
	// ignored counts the declarations of root around the current node that do
	// not count.
	ignored int
	// definitions counts the definitions around the current node: what stands
	// in one is closed, and so depends on every field.
	definitions int

	taken *node
	found bool
}

func (w *walker) take(path []string)   { w.found = true; w.taken.take(path) }
func (w *walker) object(path []string) { w.found = true; w.taken.object(path) }

// walk adds what n refers to; visible is nil outside declarations of root.
func (w *walker) walk(n ast.Node, visible scope) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			w.field(n, visible)
			return false
		case *ast.LetClause:
			w.walk(n.Expr, visible)
			return false
		case *ast.Alias:
			if w.ignored > 0 {
				w.take(nil)
			}
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

// reference adds the path that x names, and what its indices refer to. It
// returns false where x names none.
func (w *walker) reference(x ast.Expr, visible scope) bool {
	c, ok := w.chain(x, visible)
	if !ok {
		return false
	}
	for _, p := range c.paths {
		w.take(p)
	}
	for _, rest := range c.rest {
		w.walk(rest, visible)
	}
	return true
}

// chain is a path expression: what it may name, whether more selectors would
// still narrow it, and the expressions within it that are not part of it.
type chain struct {
	paths [][]string
	ended bool
	rest  []ast.Expr
}

func (c chain) then(name string) chain {
	if c.ended {
		return c
	}
	longer := make([][]string, len(c.paths))
	for i, p := range c.paths {
		longer[i] = append(slices.Clip(p), name)
	}
	c.paths = longer
	return c
}

func (c chain) end(rest ...ast.Expr) chain {
	c.ended = true
	for _, x := range rest {
		if x != nil {
			c.rest = append(slices.Clip(c.rest), x)
		}
	}
	return c
}

func (w *walker) chain(x ast.Expr, visible scope) (chain, bool) {
	switch x := x.(type) {
	case *ast.Ident:
		paths := slices.Clip(visible[x.Name])
		if x.Name == w.root {
			paths = append(paths, nil)
		}
		return chain{paths: paths}, len(paths) > 0
	case *ast.ParenExpr:
		return w.chain(x.X, visible)
	case *ast.SelectorExpr:
		name, static := labelName(x.Sel)
		c, ok := w.chain(x.X, visible)
		switch {
		case !ok && name == w.root:
			return chain{paths: [][]string{nil}, rest: []ast.Expr{x.X}}, true
		case !ok:
			return c, false
		case !static:
			return c.end(), true
		}
		return c.then(name), true
	case *ast.IndexExpr:
		name, static := stringLit(x.Index)
		c, ok := w.chain(x.X, visible)
		switch {
		case !ok && static && name == w.root:
			return chain{paths: [][]string{nil}, rest: []ast.Expr{x.X}}, true
		case !ok:
			return c, false
		case static:
			return c.then(name), true
		}
		return c.end(x.Index), true
	case *ast.SliceExpr:
		c, ok := w.chain(x.X, visible)
		return c.end(x.Low, x.High), ok
	}
	return chain{}, false
}

// labelName returns the field of decoded JSON that a label names. It is false
// for hidden fields, definitions, and labels that are computed.
func labelName(l ast.Label) (string, bool) {
	switch l := l.(type) {
	case *ast.Alias:
		inner, ok := l.Expr.(ast.Label)
		if !ok {
			return "", false
		}
		return labelName(inner)
	case *ast.Ident:
		return l.Name, !internal(l.Name)
	case *ast.BasicLit:
		if l.Kind != token.STRING {
			return l.Value, true
		}
		return stringLit(l)
	}
	return "", false
}

// internal reports whether an identifier is a hidden field or a definition,
// which decoded JSON never has.
func internal(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")
}

func stringLit(x ast.Expr) (string, bool) {
	lit, ok := x.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := literal.Unquote(lit.Value)
	return s, err == nil
}
