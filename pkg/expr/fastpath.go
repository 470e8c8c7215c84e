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
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// FastPath evaluates a condition without CUE. Where ok is false the condition has to
// be evaluated with CUE; otherwise result is what CUE would return. It is safe for
// concurrent use.
type FastPath func(context map[string]any) (result, ok bool)

// FastPath returns the fast path of x, or nil where CUE has to evaluate x.
func (e *Expression) FastPath(x ast.Expr) FastPath {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return e.FastPath(x.X)
	case *ast.UnaryExpr:
		if inner := e.FastPath(x.X); x.Op == token.NOT && inner != nil {
			return func(context map[string]any) (bool, bool) {
				result, ok := inner(context)
				return !result, ok
			}
		}
	case *ast.BinaryExpr:
		return e.newComparison(x)
	case *ast.CallExpr:
		return e.newCall(x)
	case *ast.SelectorExpr, *ast.IndexExpr:
		if operand := e.newOperand(x, false); operand != nil {
			return func(context map[string]any) (bool, bool) {
				value, _ := operand(context)
				result, ok := value.(bool)
				return result, ok
			}
		}
	}
	return nil
}

func (e *Expression) newComparison(x *ast.BinaryExpr) FastPath {
	if _, bottom := x.Y.(*ast.BottomLit); bottom {
		return e.newExistence(x)
	}
	left, right := e.newOperand(x.X, isNull(x.Y)), e.newOperand(x.Y, isNull(x.X))
	if left == nil || right == nil {
		return nil
	}
	op := x.Op
	if op == token.MAT || op == token.NMAT {
		return e.newPattern(left, x.Y, op == token.MAT)
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
		return compareKinds(op, a, b)
	}
}

// newExistence returns the fast path of `context.data.x != _|_`.
func (e *Expression) newExistence(x *ast.BinaryExpr) FastPath {
	r, ok := e.Reference(x.X)
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

func (e *Expression) newPattern(left operand, pattern ast.Expr, want bool) FastPath {
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

// newCall returns the fast path of strings.HasPrefix, HasSuffix and Contains.
func (e *Expression) newCall(x *ast.CallExpr) FastPath {
	fun, ok := x.Fun.(*ast.SelectorExpr)
	if !ok || len(x.Args) != 2 {
		return nil
	}
	pkg, ok := fun.X.(*ast.Ident)
	if !ok || e.imports[pkg.Name] != "strings" {
		return nil
	}
	var test func(text, part string) bool
	switch name, _ := fieldName(fun.Sel); name {
	case "HasPrefix":
		test = strings.HasPrefix
	case "HasSuffix":
		test = strings.HasSuffix
	case "Contains":
		test = strings.Contains
	default:
		return nil
	}
	left, right := e.newOperand(x.Args[0], false), e.newOperand(x.Args[1], false)
	if left == nil || right == nil {
		return nil
	}
	return func(context map[string]any) (bool, bool) {
		a, _ := left(context)
		b, _ := right(context)
		text, ok := a.(string)
		part, also := b.(string)
		return ok && also && test(text, part), ok && also
	}
}

// operand returns a value of the event, or a literal.
type operand func(context map[string]any) (any, bool)

// newOperand returns x as an operand, or nil where it is something else. A field that is
// null is absent unless it is nullable.
func (e *Expression) newOperand(x ast.Expr, nullable bool) operand {
	if r, ok := e.Reference(x); ok {
		if r.Computed {
			return nil
		}
		r.nullable = nullable
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
			return length(e.newOperand(call.Args[0], false))
		}
	}
	return nil
}

func length(list operand) operand {
	if list == nil {
		return nil
	}
	return func(context map[string]any) (any, bool) {
		value, _ := list(context)
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

// compareKinds is compare for conditions, where values of different kinds differ.
func compareKinds(op token.Token, a, b any) (result, ok bool) {
	if result, ok = compare(op, a, b); ok {
		return result, true
	}
	kind, other := kindOfValue(a), kindOfValue(b)
	if kind == other || kind == unknownKind || other == unknownKind {
		return false, false
	}
	return equal(op, false)
}

// kindOfValue returns the kind of a value of an event.
func kindOfValue(v any) valueKind {
	switch v.(type) {
	case nil:
		return nullKind
	case string:
		return stringKind
	case bool:
		return boolKind
	case int64, float64, json.Number:
		return numberKind
	case map[string]any:
		return structKind
	case []any:
		return listKind
	}
	return unknownKind
}

// compare compares two values of the same type. ok is false for values of different
// types, and for types that op does not order.
func compare(op token.Token, a, b any) (result, ok bool) {
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

func equal(op token.Token, same bool) (result, ok bool) {
	switch op {
	case token.EQL:
		return same, true
	case token.NEQ:
		return !same, true
	}
	return false, false
}

func order[T int64 | float64](op token.Token, a, b T) (result, ok bool) {
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

// IsStrict reports whether x is incomplete wherever the event lacks a field that x
// refers to.
func (e *Expression) IsStrict(x ast.Expr) bool {
	if r, ok := e.Reference(x); ok {
		return !r.Computed
	}
	switch x := x.(type) {
	case *ast.ParenExpr:
		return e.IsStrict(x.X)
	case *ast.BasicLit:
		return true
	case *ast.UnaryExpr:
		return x.Op == token.NOT && e.IsStrict(x.X)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT,
			token.ADD, token.SUB, token.MUL, token.QUO:
			return e.IsStrict(x.X) && e.IsStrict(x.Y)
		}
	case *ast.CallExpr:
		for _, arg := range x.Args {
			if !e.IsStrict(arg) {
				return false
			}
		}
		return e.isStrictFunction(x.Fun)
	}
	return false
}

// isStrictFunction reports whether fun is a function that needs complete arguments.
func (e *Expression) isStrictFunction(fun ast.Expr) bool {
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name == "len"
	case *ast.SelectorExpr:
		pkg, ok := fun.X.(*ast.Ident)
		return ok && e.imports[pkg.Name] == "strings"
	}
	return false
}
