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
	"regexp"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// test says whether a value fits a constraint as CUE would, or that it cannot
// say.
type test func(value any) (fits, ok bool)

// newTest returns the test for x, or nil where it has none.
func newTest(x ast.Expr) test {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return newTest(x.X)
	case *ast.BasicLit:
		if want, ok := constant(x); ok {
			return func(value any) (bool, bool) { return compare(token.EQL, value, want) }
		}
	case *ast.Ident:
		return newTypeTest(x.Name)
	case *ast.ListLit:
		return newListTest(x)
	case *ast.UnaryExpr:
		return newBound(x)
	case *ast.BinaryExpr:
		if a, b := newTest(x.X), newTest(x.Y); x.Op == token.OR && a != nil && b != nil {
			return either(a, b)
		}
	}
	return nil
}

func newTypeTest(name string) test {
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

// newBound is for `>5`, `!="x"` and `=~"^web-"`.
func newBound(x *ast.UnaryExpr) test {
	want, ok := constant(x.X)
	if !ok || want == nil {
		return nil
	}
	switch x.Op {
	case token.MAT, token.NMAT:
		text, _ := want.(string)
		re, err := regexp.Compile(text)
		if err != nil {
			return nil
		}
		return func(value any) (bool, bool) {
			s, ok := value.(string)
			return ok && re.MatchString(s) == (x.Op == token.MAT), ok
		}
	case token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		return func(value any) (bool, bool) { return compare(x.Op, value, want) }
	}
	return nil
}

// newListTest is for lists such as [...{name: "web"}].
func newListTest(x *ast.ListLit) test {
	var first []test
	var rest test
	for _, elem := range x.Elts {
		if open, ok := elem.(*ast.Ellipsis); ok {
			rest = newElementTest(ast.NewIdent("_"))
			if open.Type != nil {
				rest = newElementTest(open.Type)
			}
			if rest == nil {
				return nil
			}
			continue
		}
		t := newElementTest(elem)
		if t == nil {
			return nil
		}
		first = append(first, t)
	}
	return func(value any) (bool, bool) {
		list, ok := value.([]any)
		switch {
		case !ok:
			return false, false
		case len(list) < len(first), len(list) > len(first) && rest == nil:
			return false, true
		}
		return every(list, first, rest)
	}
}

// every tests the elements of list, and those beyond first with rest.
func every(list []any, first []test, rest test) (fits, ok bool) {
	sure := true
	for i, value := range list {
		t := rest
		if i < len(first) {
			t = first[i]
		}
		fits, ok := t(value)
		if ok && !fits {
			return false, true
		}
		sure = sure && ok
	}
	return sure, sure
}

func newElementTest(x ast.Expr) test {
	object, ok := x.(*ast.StructLit)
	if !ok {
		return newTest(x)
	}
	c, n := &shapes{simple: true}, &shape{}
	c.members(n, object)
	if !c.simple {
		return nil
	}
	return func(value any) (bool, bool) {
		v, sure := n.quick(value)
		return v.Match, sure
	}
}

func either(a, b test) test {
	return func(value any) (bool, bool) {
		x, sure := a(value)
		if x && sure {
			return true, true
		}
		y, certain := b(value)
		return y, certain && (y || sure)
	}
}
