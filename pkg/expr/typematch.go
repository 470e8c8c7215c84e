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
	"regexp"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// matcher tests a value against a constraint without CUE. Where ok is false only CUE
// can tell whether the value fits.
type matcher func(value any) (fits, ok bool)

// newMatcher returns the matcher of x, or nil where only CUE can test it.
func newMatcher(x ast.Expr) matcher {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return newMatcher(x.X)
	case *ast.BasicLit:
		return newLiteralMatcher(x)
	case *ast.Ident:
		return newTypeMatcher(x.Name)
	case *ast.ListLit:
		return newListMatcher(x)
	case *ast.UnaryExpr:
		if m := newLiteralMatcher(x); m != nil {
			return m
		}
		return newBoundMatcher(x)
	case *ast.BinaryExpr:
		if a, b := newMatcher(x.X), newMatcher(x.Y); x.Op == token.OR && a != nil && b != nil {
			return anyOf(a, b)
		}
	}
	return nil
}

// newLiteralMatcher returns the matcher of `"web"` or `-1`; nil where x is something else.
func newLiteralMatcher(x ast.Expr) matcher {
	want, ok := closure.Literal(x)
	if !ok {
		return nil
	}
	return func(value any) (bool, bool) {
		fits, s := closure.Unifies(value, want)
		return fits, s == closure.Present
	}
}

func newTypeMatcher(name string) matcher {
	switch name {
	case "_":
		return func(any) (bool, bool) { return true, true }
	case "string":
		return func(value any) (bool, bool) { _, ok := value.(string); return ok, ok }
	case "bool":
		return func(value any) (bool, bool) { _, ok := value.(bool); return ok, ok }
	case "int":
		return func(value any) (bool, bool) { _, ok := value.(int64); return ok, ok }
	}
	return nil
}

// newBoundMatcher returns the matcher of `>5`, `!="x"` or `=~"^web-"`.
func newBoundMatcher(x *ast.UnaryExpr) matcher {
	want, ok := closure.Literal(x.X)
	if !ok {
		return nil
	}
	switch x.Op {
	case token.MAT, token.NMAT:
		text, ok := want.(string)
		re, err := regexp.Compile(text)
		if !ok || err != nil {
			return nil
		}
		return func(value any) (bool, bool) {
			s, ok := value.(string)
			return ok && re.MatchString(s) == (x.Op == token.MAT), ok
		}
	case token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		return func(value any) (bool, bool) {
			fits, s := closure.Satisfies(x.Op, value, want)
			return fits, s == closure.Present
		}
	}
	return nil
}

// newListMatcher returns the matcher of a list such as [...{name: "web"}].
func newListMatcher(x *ast.ListLit) matcher {
	var first []matcher
	var rest matcher
	for _, elem := range x.Elts {
		if open, ok := elem.(*ast.Ellipsis); ok {
			rest = newElementMatcher(ast.NewIdent("_"))
			if open.Type != nil {
				rest = newElementMatcher(open.Type)
			}
			if rest == nil {
				return nil
			}
			continue
		}
		m := newElementMatcher(elem)
		if m == nil {
			return nil
		}
		first = append(first, m)
	}
	return func(value any) (bool, bool) {
		list, ok := value.([]any)
		switch {
		case !ok:
			return false, false
		case len(list) < len(first), len(list) > len(first) && rest == nil:
			return false, true
		}
		return matchElements(list, first, rest)
	}
}

// matchElements tests the elements of list: the first ones with their own matchers,
// the others with rest.
func matchElements(list []any, first []matcher, rest matcher) (fits, ok bool) {
	known := true
	for i, value := range list {
		m := rest
		if i < len(first) {
			m = first[i]
		}
		fits, ok := m(value)
		if ok && !fits {
			return false, true
		}
		known = known && ok
	}
	return known, known
}

func newElementMatcher(x ast.Expr) matcher {
	object, ok := x.(*ast.StructLit)
	if !ok {
		return newMatcher(x)
	}
	b, s := &shapeBuilder{}, &Shape{}
	b.addFields(s, object)
	s.sortNames()
	if b.left != nil {
		return nil
	}
	return func(value any) (bool, bool) {
		_, fits, ok := s.Match(value)
		return fits, ok
	}
}

func anyOf(a, b matcher) matcher {
	return func(value any) (bool, bool) {
		fitsA, okA := a(value)
		if fitsA && okA {
			return true, true
		}
		fitsB, okB := b(value)
		return fitsB, okB && (fitsB || okA)
	}
}
