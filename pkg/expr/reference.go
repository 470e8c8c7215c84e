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
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// Reference is a path below context: fields and list indices.
type Reference struct {
	steps []pathStep
	// Computed is true if the path continues with a selector or an index that is
	// known only when the expression is evaluated.
	Computed bool
	// nullable is set where the path is compared with null. Elsewhere null is absent.
	nullable bool
}

// pathStep is a field, or an index into a list.
type pathStep struct {
	field   string
	index   int
	isIndex bool
}

// String returns the path in CUE's syntax: context.data.labels["a/b"].
func (r Reference) String() string {
	var b strings.Builder
	b.WriteString("context")
	for _, s := range r.steps {
		switch {
		case s.isIndex:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case ast.IsValidIdent(s.field) && !closure.IsInternal(s.field):
			b.WriteString("." + s.field)
		default:
			b.WriteString("[" + literal.String.Quote(s.field) + "]")
		}
	}
	return b.String()
}

// Presence is the result of looking up a reference in an event.
type Presence int

const (
	// Absent means that a field or a list element is missing, that the path leads
	// through a null, or that the value is null and is not compared with null.
	Absent Presence = iota
	// Present means that the event has a value at the path.
	Present
	// TypeMismatch means that the path leads through a value that has no such fields
	// or elements.
	TypeMismatch
)

// Lookup returns the value of context at r.
func (r Reference) Lookup(context closure.Context) (any, Presence) {
	value, rest, ok := r.first(context)
	if !ok {
		return nil, Absent
	}
	for _, s := range rest {
		switch v := value.(type) {
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
			value = next
		case []any:
			if !s.isIndex {
				return nil, TypeMismatch
			}
			if s.index >= len(v) {
				return nil, Absent
			}
			value = v[s.index]
		default:
			return nil, TypeMismatch
		}
	}
	if value == nil && !r.nullable {
		return nil, Absent
	}
	return value, Present
}

// first returns the value of the first steps, and the other ones.
func (r Reference) first(context closure.Context) (value any, rest []pathStep, ok bool) {
	switch {
	case len(r.steps) == 0 || r.steps[0].isIndex:
		return context.Whole(), r.steps, true
	case r.steps[0].field == "event" && len(r.steps) > 1 && !r.steps[1].isIndex:
		value, ok = context.EventField(r.steps[1].field)
		return value, r.steps[2:], ok
	}
	value, ok = context.Field(r.steps[0].field)
	return value, r.steps[1:], ok
}

// Missing returns the mismatch for context, which lacks a value at r.
func (r Reference) Missing(context closure.Context) Mismatch {
	path := r.String()
	r.nullable = true
	if value, p := r.Lookup(context); p == Present && value == nil {
		return Mismatch{Path: path, Reason: path + " is null"}
	}
	return Missing(path)
}

// Reference returns the path below context that x refers to, directly or by way of
// let clauses, hidden fields and definitions.
func (e *Expression) Reference(x ast.Expr) (Reference, bool) {
	return e.resolvePath(x, len(e.helpers))
}

// resolvePath follows at most depth helpers, which may refer to each other in a
// cycle.
func (e *Expression) resolvePath(x ast.Expr, depth int) (Reference, bool) {
	switch x := x.(type) {
	case *ast.Ident:
		if e.isContext(x) {
			return Reference{}, true
		}
		if helper := e.helper(x); len(helper) == 1 && depth > 0 {
			return e.resolvePath(helper[0].value, depth-1)
		}
	case *ast.ParenExpr:
		return e.resolvePath(x.X, depth)
	case *ast.SelectorExpr:
		r, ok := e.resolvePath(x.X, depth)
		name, static := fieldName(x.Sel)
		return r.child(pathStep{field: name}, static), ok
	case *ast.IndexExpr:
		r, ok := e.resolvePath(x.X, depth)
		next, static := indexStep(x.Index)
		return r.child(next, static), ok
	}
	return Reference{}, false
}

// key identifies r among references.
func (r Reference) key() string {
	if r.nullable {
		return r.String() + " or null"
	}
	return r.String()
}

// comparedWithNull returns the operand that x compares with the literal null, or nil.
func comparedWithNull(x ast.Expr) ast.Expr {
	comparison, ok := x.(*ast.BinaryExpr)
	switch {
	case !ok || comparison.Op != token.EQL && comparison.Op != token.NEQ:
		return nil
	case isNull(comparison.Y):
		return comparison.X
	case isNull(comparison.X):
		return comparison.Y
	}
	return nil
}

func (r Reference) child(s pathStep, static bool) Reference {
	if r.Computed || !static {
		r.Computed = true
		return r
	}
	r.steps = append(r.steps[:len(r.steps):len(r.steps)], s)
	return r
}

// indexStep returns the step of a literal index.
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

// References returns the paths below context that n refers to, directly or by way of
// helpers, in the order of the text. Each path is the longest one.
func (e *Expression) References(n ast.Node) []Reference {
	var references []Reference
	seen := map[string]bool{}
	var walk func(n ast.Node)
	walk = func(n ast.Node) {
		e.eachReference(n, func(r Reference) {
			if text := r.key(); !seen[text] {
				seen[text] = true
				references = append(references, r)
			}
		}, func(id *ast.Ident) {
			for _, h := range e.helper(id) {
				if !seen[id.Name] {
					walk(h.value)
				}
			}
			seen[id.Name] = true
		})
	}
	walk(n)
	return references
}

// eachReference calls visit with the paths below context in n, and other with the
// identifiers that no such path starts with.
func (e *Expression) eachReference(n ast.Node, visit func(Reference), other func(*ast.Ident)) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if isComputed(n.Label) {
				e.eachReference(n.Label, visit, other)
			}
			e.eachReference(n.Value, visit, other)
			return false
		case *ast.LetClause:
			e.eachReference(n.Expr, visit, other)
			return false
		case *ast.ForClause:
			e.eachReference(n.Source, visit, other)
			return false
		case *ast.Alias:
			e.eachReference(n.Expr, visit, other)
			return false
		case ast.Expr:
			if x := comparedWithNull(n); x != nil {
				if r, ok := e.Reference(x); ok {
					r.nullable = true
					visit(r)
					return false
				}
			}
			if r, ok := e.Reference(n); ok {
				visit(r)
				e.eachIndex(n, visit, other)
				return false
			}
			if id, ok := n.(*ast.Ident); ok {
				other(id)
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				e.eachReference(sel.X, visit, other)
				return false
			}
		}
		return true
	}, nil)
}

// eachIndex calls eachReference with the indices of the path that x is.
func (e *Expression) eachIndex(x ast.Expr, visit func(Reference), other func(*ast.Ident)) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		e.eachIndex(x.X, visit, other)
	case *ast.SelectorExpr:
		e.eachIndex(x.X, visit, other)
	case *ast.IndexExpr:
		e.eachIndex(x.X, visit, other)
		e.eachReference(x.Index, visit, other)
	}
}
