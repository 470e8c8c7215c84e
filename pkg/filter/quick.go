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
	"math"
	"regexp"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// FastPath answers a condition on context as CUE would, or says that it cannot:
// then CUE decides. It spares most events the cost of an evaluation.
type FastPath func(context map[string]any) (answer, ok bool)

// FastPath returns the quick form of x, or nil where it has none.
func (s *Expression) FastPath(x ast.Expr) FastPath {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return s.FastPath(x.X)
	case *ast.UnaryExpr:
		if inner := s.FastPath(x.X); x.Op == token.NOT && inner != nil {
			return func(context map[string]any) (bool, bool) {
				answer, ok := inner(context)
				return !answer, ok
			}
		}
	case *ast.BinaryExpr:
		return s.newComparison(x)
	case *ast.CallExpr:
		return s.newCall(x)
	case *ast.SelectorExpr, *ast.IndexExpr:
		if of := s.newOperand(x); of != nil {
			return func(context map[string]any) (bool, bool) {
				value, _ := of(context)
				answer, ok := value.(bool)
				return answer, ok
			}
		}
	}
	return nil
}

func (s *Expression) newComparison(x *ast.BinaryExpr) FastPath {
	if _, bottom := x.Y.(*ast.BottomLit); bottom {
		return s.newExistence(x)
	}
	left, right := s.newOperand(x.X), s.newOperand(x.Y)
	if left == nil || right == nil {
		return nil
	}
	op := x.Op
	if op == token.MAT || op == token.NMAT {
		return s.newPattern(left, x.Y, op == token.MAT)
	}
	return func(context map[string]any) (bool, bool) {
		a, ok := left(context)
		if !ok {
			return false, false
		}
		b, ok := right(context)
		if !ok {
			return false, false
		}
		return compare(op, a, b)
	}
}

// newExistence is for `context.data.x != _|_`.
func (s *Expression) newExistence(x *ast.BinaryExpr) FastPath {
	r, ok := s.Reference(x.X)
	if !ok || r.Computed || x.Op != token.EQL && x.Op != token.NEQ {
		return nil
	}
	want := x.Op == token.NEQ
	return func(context map[string]any) (bool, bool) {
		switch _, p := r.Lookup(context); p {
		case Present:
			return want, true
		case Absent:
			return !want, true
		}
		return false, false
	}
}

func (s *Expression) newPattern(left operand, pattern ast.Expr, want bool) FastPath {
	text, ok := literalValue(pattern)
	if _, isText := text.(string); !ok || !isText {
		return nil
	}
	re, err := regexp.Compile(text.(string))
	if err != nil {
		return nil
	}
	return func(context map[string]any) (bool, bool) {
		value, _ := left(context)
		text, ok := value.(string)
		return ok && re.MatchString(text) == want, ok
	}
}

// newCall is for strings.HasPrefix and its like.
func (s *Expression) newCall(x *ast.CallExpr) FastPath {
	fun, ok := x.Fun.(*ast.SelectorExpr)
	if !ok || len(x.Args) != 2 {
		return nil
	}
	pkg, ok := fun.X.(*ast.Ident)
	if !ok || s.imports[pkg.Name] != "strings" {
		return nil
	}
	var is func(text, part string) bool
	switch name, _ := selectorName(fun.Sel); name {
	case "HasPrefix":
		is = strings.HasPrefix
	case "HasSuffix":
		is = strings.HasSuffix
	case "Contains":
		is = strings.Contains
	default:
		return nil
	}
	left, right := s.newOperand(x.Args[0]), s.newOperand(x.Args[1])
	if left == nil || right == nil {
		return nil
	}
	return func(context map[string]any) (bool, bool) {
		a, _ := left(context)
		b, _ := right(context)
		text, ok := a.(string)
		part, also := b.(string)
		return ok && also && is(text, part), ok && also
	}
}

// operand returns a value of the event, or a constant.
type operand func(context map[string]any) (any, bool)

func (s *Expression) newOperand(x ast.Expr) operand {
	if r, ok := s.Reference(x); ok {
		if r.Computed {
			return nil
		}
		return func(context map[string]any) (any, bool) {
			value, p := r.Lookup(context)
			return value, p == Present
		}
	}
	if value, ok := literalValue(x); ok {
		return func(map[string]any) (any, bool) { return value, true }
	}
	if call, ok := x.(*ast.CallExpr); ok && len(call.Args) == 1 {
		if fun, ok := call.Fun.(*ast.Ident); ok && fun.Name == "len" && fun.Node == nil {
			return length(s.newOperand(call.Args[0]))
		}
	}
	return nil
}

func length(of operand) operand {
	if of == nil {
		return nil
	}
	return func(context map[string]any) (any, bool) {
		value, _ := of(context)
		switch value := value.(type) {
		case []any:
			return int64(len(value)), true
		case map[string]any:
			return int64(len(value)), true
		}
		return nil, false
	}
}

// literalValue returns the value of a literal: a string, int64, bool or nil.
func literalValue(x ast.Expr) (any, bool) {
	lit, ok := x.(*ast.BasicLit)
	if !ok {
		return nil, false
	}
	switch lit.Kind {
	case token.TRUE, token.FALSE:
		return lit.Kind == token.TRUE, true
	case token.NULL:
		return nil, true
	case token.STRING:
		text, err := literal.Unquote(lit.Value)
		return text, err == nil && lit.Value[0] != '\''
	case token.INT:
		n, err := strconv.ParseInt(lit.Value, 10, 64)
		return n, err == nil
	}
	return nil, false
}

// compare compares two values of one kind, whose order is beyond doubt.
func compare(op token.Token, a, b any) (answer, ok bool) {
	switch a := a.(type) {
	case string:
		if b, same := b.(string); same {
			return equal(op, a == b)
		}
	case bool:
		if b, same := b.(bool); same {
			return equal(op, a == b)
		}
	case nil:
		if b == nil {
			return equal(op, true)
		}
	case int64:
		if b, same := b.(int64); same {
			return order(op, a, b)
		}
	case float64:
		if b, same := b.(float64); same && !math.IsNaN(a) && !math.IsNaN(b) {
			return order(op, a, b)
		}
	}
	return false, false
}

func equal(op token.Token, same bool) (answer, ok bool) {
	switch op {
	case token.EQL:
		return same, true
	case token.NEQ:
		return !same, true
	}
	return false, false
}

func order[T int64 | float64](op token.Token, a, b T) (answer, ok bool) {
	switch op {
	case token.LSS:
		return a < b, true
	case token.LEQ:
		return a <= b, true
	case token.GTR:
		return a > b, true
	case token.GEQ:
		return a >= b, true
	}
	return equal(op, a == b)
}
