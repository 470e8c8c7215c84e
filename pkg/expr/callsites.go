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
	"cuelang.org/go/cue/token"
)

// callSites tells which values of a template make calls. A call is made where a function is
// the value of a field or of an element of a list; a reference to a call is not another
// call, unless it is unified with more.
type callSites struct {
	file *ast.File
	// values are the values of the top-level declarations, of which a name may have several.
	values map[string][]ast.Node
	// sources are the sources of loops by their variables; nil for the keys.
	sources map[ast.Node]ast.Expr
	// lets are the values of let clauses, by the nodes to which their names resolve.
	lets map[ast.Node]ast.Expr
	// visiting are the declarations that are being searched, which may refer to themselves.
	visiting map[ast.Node]bool
}

// newCallSites returns the callSites of file, whose identifiers have to be resolved.
func newCallSites(file *ast.File) callSites {
	s := callSites{
		file: file, values: map[string][]ast.Node{},
		sources: map[ast.Node]ast.Expr{}, lets: map[ast.Node]ast.Expr{}, visiting: map[ast.Node]bool{},
	}
	for name, value := range eachDeclaration(file.Decls) {
		s.values[name] = append(s.values[name], value)
	}
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForClause:
			if n.Key != nil {
				s.sources[n.Key] = nil
			}
			if n.Value != nil {
				s.sources[n.Value] = n.Source
			}
		case *ast.LetClause:
			s.lets[n], s.lets[n.Ident] = n.Expr, n.Expr
		}
		return true
	}, nil)
	return s
}

// DataFields returns the names of the top-level fields that make no calls. It may lack some
// that make none.
func DataFields(file *ast.File) NameSet {
	s, data, calling := newCallSites(file), NameSet{}, NameSet{}
	if !s.classify(file.Decls, data, calling) {
		return NameSet{}
	}
	for name := range calling {
		delete(data, name)
	}
	return data
}

// classify adds the names that decls declare to data or calling. It returns false where
// the name of a field that makes calls is unknown.
func (s callSites) classify(decls []ast.Decl, data, calling NameSet) bool {
	for _, d := range decls {
		nested := ast.Node(d)
		switch d := d.(type) {
		case *ast.LetClause, *ast.ImportDecl, *ast.Package, *ast.CommentGroup, *ast.Attribute:
			continue
		case *ast.Field:
			name := LabelName(unaliasedLabel(d.Label))
			if !s.make(d.Value, false) {
				data[name] = true
			} else if calling[name] = true; name == "" {
				return false
			}
			continue
		case *ast.Comprehension:
			nested = d.Value
		case *ast.EmbedDecl:
			nested = d.Expr
		}
		if body, ok := nested.(*ast.StructLit); ok {
			if !s.classify(body.Elts, data, calling) {
				return false
			}
		} else if s.make(nested, false) {
			return false
		}
	}
	return true
}

// unaliasedLabel returns a label without its alias.
func unaliasedLabel(l ast.Label) ast.Label {
	if a, ok := l.(*ast.Alias); ok {
		l, _ = a.Expr.(ast.Label)
	}
	return l
}

// make reports whether a field with the value n makes calls. It returns true where it
// cannot tell. Unified is set if n is unified with another value.
func (s callSites) make(n ast.Node, unified bool) bool {
	some := func(nodes ...ast.Expr) bool {
		return slices.ContainsFunc(nodes, func(n ast.Expr) bool { return s.make(n, unified) })
	}
	switch n := n.(type) {
	case *ast.BasicLit, *ast.Interpolation, *ast.BottomLit, *ast.LetClause, *ast.CommentGroup, *ast.Attribute:
		return false
	case *ast.StructLit:
		return slices.ContainsFunc(n.Elts, func(d ast.Decl) bool { return s.make(d, unified) })
	case *ast.Field:
		return LabelName(n.Label) == "#do" || some(n.Value)
	case *ast.EmbedDecl:
		return some(n.Expr)
	case *ast.Comprehension:
		return some(n.Value)
	case *ast.Ellipsis:
		return n.Type != nil && some(n.Type)
	case *ast.ListLit:
		return some(n.Elts...)
	case *ast.ParenExpr:
		return some(n.X)
	case *ast.Alias:
		return some(n.Expr)
	case *ast.UnaryExpr:
		return n.Op == token.MUL && some(n.X)
	case *ast.BinaryExpr:
		unified = unified || n.Op == token.AND
		return (n.Op == token.AND || n.Op == token.OR) && some(n.X, n.Y)
	case *ast.CallExpr:
		unified = true
		return isUnification(n) && some(n.Args...)
	case *ast.SelectorExpr, *ast.IndexExpr, *ast.SliceExpr, *ast.Ident:
		return s.pathMakes(n, unified)
	}
	return true
}

// pathMakes is make for a path: the function of a package, or a reference.
func (s callSites) pathMakes(n ast.Node, unified bool) bool {
	for {
		switch x := n.(type) {
		case *ast.ParenExpr:
			n = x.X
		case *ast.SliceExpr:
			n = x.X
		case *ast.SelectorExpr:
			if strings.HasPrefix(LabelName(x.Sel), "$") {
				return false // a part of a call
			}
			n = x.X
		case *ast.IndexExpr:
			if name, ok := stringLiteral(x.Index); ok && strings.HasPrefix(name, "$") {
				return false
			}
			n = x.X
		case *ast.Ident:
			return s.identMakes(x, unified)
		default:
			return s.make(n, unified)
		}
	}
}

func (s callSites) identMakes(id *ast.Ident, unified bool) bool {
	if source, ok := s.sources[id.Node]; ok {
		return source != nil && s.declarationMakes(id.Node, source, unified)
	}
	if value := s.lets[id.Node]; value != nil {
		return s.declarationMakes(id.Node, value, unified)
	}
	switch decl := id.Node.(type) {
	case nil:
		return false // predeclared, or context
	case *ast.ImportSpec:
		return strings.HasPrefix(importPath(decl), "vela/")
	case *ast.Field, *ast.Alias:
		return unified
	}
	if !unified && !IsDefinition(id.Name) {
		return false // a field, which makes its calls itself
	}
	values := []ast.Node{id.Node}
	if id.Scope == s.file {
		values = s.values[id.Name]
	}
	return slices.ContainsFunc(values, func(n ast.Node) bool { return s.declarationMakes(n, n, unified) })
}

// declarationMakes is make for the value of a declaration.
func (s callSites) declarationMakes(decl, value ast.Node, unified bool) bool {
	if s.visiting[decl] {
		return false
	}
	s.visiting[decl] = true
	defer delete(s.visiting, decl)
	return s.make(value, unified)
}
