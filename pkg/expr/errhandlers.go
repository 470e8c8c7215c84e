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

// ErrHandlers are the calls whose `$returns.err` a template refers to.
type ErrHandlers struct {
	// calls are paths of calls, which may begin below the top of the template. "" is any
	// name or index.
	calls [][]string
}

// FindErrHandlers returns the ErrHandlers of file, whose identifiers have to be resolved.
func FindErrHandlers(file *ast.File) ErrHandlers {
	s := newCallSites(file)
	var h ErrHandlers
	ast.Walk(file, func(n ast.Node) bool {
		x, ok := n.(ast.Expr)
		if !ok || lastName(x) != "err" {
			return true
		}
		for _, path := range s.paths(selectedFrom(x)) {
			if last := len(path) - 1; last > 0 && path[last] == "$returns" {
				path = path[:last]
			}
			h.calls = append(h.calls, path)
		}
		return true
	}, nil)
	return h
}

// Contains reports whether the template handles the error of the call at path, whose
// elements are the names of fields and the indices in lists.
func (h ErrHandlers) Contains(path []string) bool {
	return slices.ContainsFunc(h.calls, func(call []string) bool {
		if len(call) > len(path) {
			return false
		}
		end := path[len(path)-len(call):]
		for i, name := range call {
			if name != "" && name != end[i] {
				return false
			}
		}
		return true
	})
}

// lastName returns the name of the field that x selects, or "".
func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return LabelName(x.Sel)
	case *ast.IndexExpr:
		name, _ := stringLiteral(x.Index)
		return name
	}
	return ""
}

// selectedFrom returns what x selects from.
func selectedFrom(x ast.Expr) ast.Expr {
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return x.X
	case *ast.IndexExpr:
		return x.X
	}
	return nil
}

// paths returns the paths that x may refer to; none if it is no reference.
func (s callSites) paths(x ast.Expr) [][]string {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return s.paths(x.X)
	case *ast.UnaryExpr:
		return s.paths(x.X)
	case *ast.BinaryExpr:
		return append(s.paths(x.X), s.paths(x.Y)...)
	case *ast.SelectorExpr, *ast.IndexExpr:
		return s.elementPaths(selectedFrom(x), lastName(x))
	case *ast.Ident:
		return s.identPaths(x)
	}
	return nil
}

// elementPaths returns the paths of the element name of x; of all elements if it is "".
func (s callSites) elementPaths(x ast.Expr, name string) [][]string {
	if list, ok := x.(*ast.ListLit); ok {
		var paths [][]string
		for _, e := range list.Elts {
			paths = append(paths, s.paths(element(e))...)
		}
		return paths
	}
	var paths [][]string
	for _, path := range s.paths(x) {
		paths = append(paths, append(slices.Clone(path), name))
	}
	if id, ok := x.(*ast.Ident); ok && id.Node != nil && !s.visiting[id.Node] {
		// all: [a, b] has the calls a and b.
		if list, ok := id.Node.(*ast.ListLit); ok {
			paths = append(paths, s.elementPaths(list, name)...)
		}
	}
	return paths
}

// element returns the value of an element of a list.
func element(x ast.Expr) ast.Expr {
	c, ok := x.(*ast.Comprehension)
	if !ok {
		return x
	}
	if body, ok := c.Value.(*ast.StructLit); ok && len(body.Elts) == 1 {
		if embedded, ok := body.Elts[0].(*ast.EmbedDecl); ok {
			return embedded.Expr
		}
	}
	return nil
}

// identPaths returns the paths of what id refers to.
func (s callSites) identPaths(id *ast.Ident) [][]string {
	if s.visiting[id.Node] {
		return nil
	}
	if id.Node != nil {
		s.visiting[id.Node] = true
		defer delete(s.visiting, id.Node)
	}
	if source := s.sources[id.Node]; source != nil {
		return s.elementPaths(source, "")
	}
	if value := s.lets[id.Node]; value != nil {
		return s.paths(value)
	}
	switch decl := id.Node.(type) {
	case *ast.Field: // an alias
		return [][]string{{LabelName(unaliasedLabel(decl.Label))}}
	case *ast.SelectorExpr, *ast.IndexExpr, *ast.Ident: // a reference to another call
		return append(s.paths(decl.(ast.Expr)), []string{id.Name})
	}
	return [][]string{{id.Name}}
}
