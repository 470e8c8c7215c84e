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

package closure

import (
	"regexp"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// comparison is `a == b`, `a < b` and so on. Values of different kinds differ, and have no
// order.
func comparison(op token.Token, a, b code) code {
	out := binaryCode(a, b, func(x, y any) (any, Status) {
		holds, s := compare(op, x, y)
		return holds, s
	})
	out.boolean = true
	out.total = (op == token.EQL || op == token.NEQ) && a.total && b.total
	return out
}

func compare(op token.Token, a, b any) (bool, Status) {
	if op == token.EQL || op == token.NEQ {
		same, s := equalValues(a, b)
		return same == (op == token.EQL), s
	}
	n, s := order(a, b)
	if s != Present {
		return false, s
	}
	switch op {
	case token.LSS:
		return n < 0, Present
	case token.LEQ:
		return n <= 0, Present
	case token.GTR:
		return n > 0, Present
	}
	return n >= 0, Present
}

// literalOf returns the value of a text, number, bool or null, or false if x is something else.
func literalOf(x ast.Expr) (any, bool) {
	if sign, ok := x.(*ast.UnaryExpr); ok && sign.Op == token.SUB {
		if lit, ok := sign.X.(*ast.BasicLit); !ok || lit.Kind != token.INT && lit.Kind != token.FLOAT {
			return nil, false
		}
	} else if _, ok := x.(*ast.BasicLit); !ok {
		return nil, false
	}
	c, err := (&compiler{}).compile(x)
	if err != nil {
		return nil, false
	}
	v, s := c.eval(nil)
	return v, s == Present
}

// unifies reports whether a value is the one of a literal: 3.0 is not 3.
func unifies(v, literal any) (bool, Status) { return equalElements(v, literal) }

// satisfies reports whether a value satisfies a bound such as `>5` or `!="x"`. What CUE does
// with a value of another kind than the literal's is Unknown.
func satisfies(op token.Token, v, literal any) (bool, Status) {
	_, text := v.(string)
	_, alsoText := literal.(string)
	if text != alsoText || isNumber(v) != isNumber(literal) || !text && !isNumber(v) {
		return false, Unknown
	}
	return compare(op, v, literal)
}

// equalValues reports whether two values are equal.
func equalValues(x, b any) (bool, Status) {
	switch a := x.(type) {
	case nil:
		return b == nil, Present
	case bool:
		b, ok := b.(bool)
		return ok && a == b, Present
	case string:
		b, ok := b.(string)
		return ok && a == b, Present
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false, Present
		}
		for i := range a {
			if same, s := equalElements(a[i], b[i]); s != Present || !same {
				return false, s
			}
		}
		return true, Present
	case map[string]any, *object:
		fields, _ := fieldsOf(x)
		others, ok := fieldsOf(b)
		if !ok || len(fields) != len(others) {
			return false, Present
		}
		for name, v := range fields {
			w, ok := others[name]
			if !ok {
				return false, Present
			}
			if same, s := equalElements(v, w); s != Present || !same {
				return false, s
			}
		}
		return true, Present
	}
	if !isNumber(x) {
		return false, Unknown
	}
	if !isNumber(b) {
		return false, Present
	}
	n, s := compareNumbers(x, b)
	return n == 0, s
}

// equalElements is equalValues for elements of lists and fields of structs, where an int is no
// float.
func equalElements(a, b any) (bool, Status) {
	if isNumber(a) && isNumber(b) && isInteger(a) != isInteger(b) {
		return false, Present
	}
	return equalValues(a, b)
}

// order compares two values that have an order.
func order(a, b any) (int, Status) {
	if a, ok := a.(string); ok {
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), Present
		}
		return 0, Absent
	}
	if isNumber(a) && isNumber(b) {
		return compareNumbers(a, b)
	}
	if _, ok := a.(octets); ok {
		return 0, Unknown
	}
	return 0, Absent
}

// pattern is `x =~ "regular expression"`, or `x !~ …`.
func (c *compiler) pattern(x *ast.BinaryExpr) (code, error) {
	operand, err := c.compile(x.X)
	if err != nil {
		return code{}, err
	}
	re, err := c.constantPattern(x.Y)
	if err != nil {
		return code{}, err
	}
	wanted := x.Op == token.MAT
	out := unaryCode(operand, func(v any) (any, Status) {
		if text, ok := v.(string); ok {
			return re.MatchString(text) == wanted, Present
		}
		return nil, Absent
	})
	out.boolean = true
	return out, nil
}

// constantPattern compiles a regular expression that depends on no event.
func (c *compiler) constantPattern(x ast.Expr) (*regexp.Regexp, error) {
	p, err := c.compile(x)
	if err != nil {
		return nil, err
	}
	if !p.constant {
		return nil, unsupported(x, "a pattern of the event")
	}
	v, _ := p.eval(nil)
	text, ok := v.(string)
	re, err := regexp.Compile(text)
	if !ok || err != nil {
		return nil, unsupported(x, "a pattern that is no regular expression")
	}
	return re, nil
}
