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

package filter

import (
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// reference is a path into context that the text names: fields and list
// indices, below context. What it goes on with may be computed.
type reference struct {
	steps    []step
	computed bool
}

// step is a field, or an index into a list.
type step struct {
	field string
	index int
	list  bool
}

// String returns the path as CUE writes it: context.data.labels["a/b"].
func (r reference) String() string {
	var b strings.Builder
	b.WriteString("context")
	for _, s := range r.steps {
		switch {
		case s.list:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case ast.IsValidIdent(s.field) && !internal(s.field):
			b.WriteString("." + s.field)
		default:
			b.WriteString("[" + literal.String.Quote(s.field) + "]")
		}
	}
	return b.String()
}

// presence is what an event has at a reference.
type presence int

const (
	// absent: a field or an element is missing, or null stands where there
	// would have to be more.
	absent presence = iota
	present
	// misfit: the way leads into something that has no such parts.
	misfit
)

// in returns what context has at r.
func (r reference) in(context map[string]any) (any, presence) {
	var at any = context
	for _, s := range r.steps {
		switch v := at.(type) {
		case nil:
			return nil, absent
		case map[string]any:
			if s.list {
				return nil, misfit
			}
			next, ok := v[s.field]
			if !ok {
				return nil, absent
			}
			at = next
		case []any:
			if !s.list {
				return nil, misfit
			}
			if s.index >= len(v) {
				return nil, absent
			}
			at = v[s.index]
		default:
			return nil, misfit
		}
	}
	if at == nil && r.computed {
		return nil, absent
	}
	return at, present
}

// reference returns the path into context that x names, seen through let
// clauses and helpers.
func (s *source) reference(x ast.Expr) (reference, bool) {
	return s.resolve(x, len(s.helpers))
}

// resolve follows up to depth helpers: they may refer to each other in circles.
func (s *source) resolve(x ast.Expr, depth int) (reference, bool) {
	switch x := x.(type) {
	case *ast.Ident:
		if s.isRoot(x) {
			return reference{}, true
		}
		if helper := s.helper(x); len(helper) == 1 && depth > 0 {
			return s.resolve(helper[0].value, depth-1)
		}
	case *ast.ParenExpr:
		return s.resolve(x.X, depth)
	case *ast.SelectorExpr:
		r, ok := s.resolve(x.X, depth)
		name, static := selected(x.Sel)
		return r.then(step{field: name}, static), ok
	case *ast.IndexExpr:
		r, ok := s.resolve(x.X, depth)
		next, static := index(x.Index)
		return r.then(next, static), ok
	}
	return reference{}, false
}

func (r reference) then(s step, static bool) reference {
	if r.computed || !static {
		r.computed = true
		return r
	}
	r.steps = append(r.steps[:len(r.steps):len(r.steps)], s)
	return r
}

// selected returns the field of an event that a selector names.
func selected(l ast.Label) (string, bool) {
	name, identifier, err := ast.LabelName(l)
	return name, err == nil && !(identifier && internal(name))
}

// internal reports whether an identifier is a hidden field or a definition,
// which events never have.
func internal(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")
}

// index returns the step that a literal index is.
func index(x ast.Expr) (step, bool) {
	lit, ok := x.(*ast.BasicLit)
	if !ok {
		return step{}, false
	}
	switch lit.Kind {
	case token.STRING:
		s, err := literal.Unquote(lit.Value)
		return step{field: s}, err == nil
	case token.INT:
		i, err := strconv.Atoi(lit.Value)
		return step{index: i, list: true}, err == nil
	}
	return step{}, false
}

// references returns the paths into context that n names, in the order of the
// text, also by way of helpers.
func (s *source) references(n ast.Node) []reference {
	var found []reference
	seen := map[string]bool{}
	var walk func(n ast.Node)
	walk = func(n ast.Node) {
		s.each(n, func(_ ast.Expr, r reference) bool {
			if text := r.String(); !seen[text] {
				seen[text] = true
				found = append(found, r)
			}
			return true
		}, func(id *ast.Ident) {
			for _, h := range s.helper(id) {
				if !seen[id.Name] {
					walk(h.value)
				}
			}
			seen[id.Name] = true
		})
	}
	walk(n)
	return found
}

// each calls visit with the paths into context in n, the longest first; where it
// returns false, with the path without its last step. It calls other with the
// identifiers that begin no such path.
func (s *source) each(n ast.Node, visit func(ast.Expr, reference) bool, other func(*ast.Ident)) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if computed(n.Label) {
				s.each(n.Label, visit, other)
			}
			s.each(n.Value, visit, other)
			return false
		case *ast.LetClause:
			s.each(n.Expr, visit, other)
			return false
		case *ast.ForClause:
			s.each(n.Source, visit, other)
			return false
		case *ast.Alias:
			s.each(n.Expr, visit, other)
			return false
		case ast.Expr:
			if r, ok := s.reference(n); ok && visit(n, r) {
				s.indices(n, visit, other)
				return false
			}
			if id, ok := n.(*ast.Ident); ok {
				other(id)
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				s.each(sel.X, visit, other)
				return false
			}
		}
		return true
	}, nil)
}

// indices calls each for the indices on the way of a path.
func (s *source) indices(x ast.Expr, visit func(ast.Expr, reference) bool, other func(*ast.Ident)) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		s.indices(x.X, visit, other)
	case *ast.SelectorExpr:
		s.indices(x.X, visit, other)
	case *ast.IndexExpr:
		s.indices(x.X, visit, other)
		s.each(x.Index, visit, other)
	}
}

// computed reports whether a label has to be evaluated.
func computed(l ast.Label) bool {
	_, _, err := ast.LabelName(l)
	return err != nil
}
