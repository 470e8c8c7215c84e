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

// Reference is a path into context that the text names: fields and list
// indices, below context. What it goes on with may be computed.
type Reference struct {
	steps    []pathStep
	Computed bool
}

// pathStep is a field, or an index into a list.
type pathStep struct {
	field   string
	index   int
	isIndex bool
}

// String returns the path as CUE writes it: context.data.labels["a/b"].
func (r Reference) String() string {
	var b strings.Builder
	b.WriteString("context")
	for _, s := range r.steps {
		switch {
		case s.isIndex:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case ast.IsValidIdent(s.field) && !isInternal(s.field):
			b.WriteString("." + s.field)
		default:
			b.WriteString("[" + literal.String.Quote(s.field) + "]")
		}
	}
	return b.String()
}

// Presence is what an event has at a reference.
type Presence int

const (
	// absent: a field or an element is missing, or null stands where there
	// would have to be more.
	Absent Presence = iota
	Present
	// misfit: the way leads into something that has no such parts.
	TypeMismatch
)

// Lookup returns what context has at r.
func (r Reference) Lookup(context map[string]any) (any, Presence) {
	var at any = context
	for _, s := range r.steps {
		switch v := at.(type) {
		case nil:
			return nil, Absent
		case map[string]any:
			if s.isIndex {
				return nil, TypeMismatch
			}
			next, ok := v[s.field]
			if !ok {
				return nil, Absent
			}
			at = next
		case []any:
			if !s.isIndex {
				return nil, TypeMismatch
			}
			if s.index >= len(v) {
				return nil, Absent
			}
			at = v[s.index]
		default:
			return nil, TypeMismatch
		}
	}
	if at == nil && r.Computed {
		return nil, Absent
	}
	return at, Present
}

// Reference returns the path into context that x names, seen through let
// clauses and helpers.
func (s *Expression) Reference(x ast.Expr) (Reference, bool) {
	return s.resolvePath(x, len(s.helpers))
}

// resolvePath follows up to depth helpers: they may refer to each other in circles.
func (s *Expression) resolvePath(x ast.Expr, depth int) (Reference, bool) {
	switch x := x.(type) {
	case *ast.Ident:
		if s.isContext(x) {
			return Reference{}, true
		}
		if helper := s.helper(x); len(helper) == 1 && depth > 0 {
			return s.resolvePath(helper[0].value, depth-1)
		}
	case *ast.ParenExpr:
		return s.resolvePath(x.X, depth)
	case *ast.SelectorExpr:
		r, ok := s.resolvePath(x.X, depth)
		name, static := selectorName(x.Sel)
		return r.child(pathStep{field: name}, static), ok
	case *ast.IndexExpr:
		r, ok := s.resolvePath(x.X, depth)
		next, static := indexStep(x.Index)
		return r.child(next, static), ok
	}
	return Reference{}, false
}

func (r Reference) child(s pathStep, static bool) Reference {
	if r.Computed || !static {
		r.Computed = true
		return r
	}
	r.steps = append(r.steps[:len(r.steps):len(r.steps)], s)
	return r
}

// selectorName returns the field of an event that a selector names.
func selectorName(l ast.Label) (string, bool) {
	name, identifier, err := ast.LabelName(l)
	return name, err == nil && !(identifier && isInternal(name))
}

// isInternal reports whether an identifier is a hidden field or a definition,
// which events never have.
func isInternal(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")
}

// indexStep returns the step that a literal index is.
func indexStep(x ast.Expr) (pathStep, bool) {
	lit, ok := x.(*ast.BasicLit)
	if !ok {
		return pathStep{}, false
	}
	switch lit.Kind {
	case token.STRING:
		s, err := literal.Unquote(lit.Value)
		return pathStep{field: s}, err == nil
	case token.INT:
		i, err := strconv.Atoi(lit.Value)
		return pathStep{index: i, isIndex: true}, err == nil
	}
	return pathStep{}, false
}

// References returns the paths into context that n names, in the order of the
// text, also by way of helpers.
func (s *Expression) References(n ast.Node) []Reference {
	var found []Reference
	seen := map[string]bool{}
	var walk func(n ast.Node)
	walk = func(n ast.Node) {
		s.eachReference(n, func(_ ast.Expr, r Reference) bool {
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

// eachReference calls visit with the paths into context in n, the longest first; where it
// returns false, with the path without its last step. It calls other with the
// identifiers that begin no such path.
func (s *Expression) eachReference(n ast.Node, visit func(ast.Expr, Reference) bool, other func(*ast.Ident)) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if isComputedLabel(n.Label) {
				s.eachReference(n.Label, visit, other)
			}
			s.eachReference(n.Value, visit, other)
			return false
		case *ast.LetClause:
			s.eachReference(n.Expr, visit, other)
			return false
		case *ast.ForClause:
			s.eachReference(n.Source, visit, other)
			return false
		case *ast.Alias:
			s.eachReference(n.Expr, visit, other)
			return false
		case ast.Expr:
			if r, ok := s.Reference(n); ok && visit(n, r) {
				s.eachIndex(n, visit, other)
				return false
			}
			if id, ok := n.(*ast.Ident); ok {
				other(id)
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				s.eachReference(sel.X, visit, other)
				return false
			}
		}
		return true
	}, nil)
}

// eachIndex calls each for the indices on the way of a path.
func (s *Expression) eachIndex(x ast.Expr, visit func(ast.Expr, Reference) bool, other func(*ast.Ident)) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		s.eachIndex(x.X, visit, other)
	case *ast.SelectorExpr:
		s.eachIndex(x.X, visit, other)
	case *ast.IndexExpr:
		s.eachIndex(x.X, visit, other)
		s.eachReference(x.Index, visit, other)
	}
}

// isComputedLabel reports whether a label has to be evaluated.
func isComputedLabel(l ast.Label) bool {
	_, _, err := ast.LabelName(l)
	return err != nil
}
