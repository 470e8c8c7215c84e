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
	"encoding/json"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// not is `!x`.
func not(x code) code {
	out := unaryCode(x, func(v any) (any, Status) {
		if b, ok := v.(bool); ok {
			return !b, Present
		}
		return nil, Absent
	})
	out.boolean, out.total = true, x.total && x.boolean
	return out
}

// junction is `a && b`, or `a || b`: both operands need a value, and the second has to be a
// bool where the first does not decide.
func junction(a, b code, or bool) code {
	whole := binaryCode(a, b, func(x, y any) (any, Status) {
		p, ok := x.(bool)
		if ok && p == or {
			return or, Present
		}
		q, also := y.(bool)
		return q, absentIf(!ok || !also)
	})
	whole.boolean, whole.total = true, a.total && a.boolean && b.total && b.boolean
	if !b.total || !b.boolean {
		return whole
	}
	// The second operand has a value, whatever it is.
	whole.eval = func(f *frame) (any, Status) {
		x, s := a.eval(f)
		if s != Present {
			return nil, s
		}
		if p, ok := x.(bool); !ok {
			return nil, Absent
		} else if p == or {
			return or, Present
		}
		return b.eval(f)
	}
	return whole
}

// fallback is `*x | y`: y where x has no value.
func (c *compiler) fallback(x *ast.BinaryExpr) (code, error) {
	preferred, ok := x.X.(*ast.UnaryExpr)
	if !ok || preferred.Op != token.MUL {
		return code{}, unsupported(x, "a disjunction")
	}
	if other, ok := unparenthesized(x.Y).(*ast.UnaryExpr); ok && other.Op == token.MUL {
		return code{}, unsupported(x, "a disjunction of defaults")
	}
	a, err := c.compile(preferred.X)
	if err != nil {
		return code{}, err
	}
	b, err := c.compile(x.Y)
	if err != nil {
		return code{}, err
	}
	return code{
		total: a.total || b.total, boolean: a.boolean && b.boolean, constant: a.constant && b.constant, choice: true,
		eval: func(f *frame) (any, Status) {
			if v, s := a.eval(f); s != Absent {
				return v, s
			}
			// In CUE v0.14.1, what has two values that are absent is in some places an
			// error, and in others, such as a condition or a text, none.
			if v, s := b.eval(f); s == Present && !b.choice {
				return v, Present
			}
			return nil, Unknown
		},
	}, nil
}

func unparenthesized(x ast.Expr) ast.Expr {
	for {
		p, ok := x.(*ast.ParenExpr)
		if !ok {
			return x
		}
		x = p.X
	}
}

// unification is `x & y`: the call of a function, x where it is of a kind, as in `x & !=null` or
// `x & bool`, or what has all of two structs.
func (c *compiler) unification(x *ast.BinaryExpr) (code, error) {
	if complete := c.definition(x.X); complete != nil {
		c.calls++
		return c.defined(complete, x.Y)
	}
	has, boolean := bound(x.Y)
	if has == nil {
		return c.both(x)
	}
	operand, err := c.compile(x.X)
	if err != nil {
		return code{}, err
	}
	out := unaryCode(operand, func(v any) (any, Status) {
		if has(v) {
			return v, Present
		}
		return nil, operand.excluded()
	})
	out.boolean, out.choice = boolean || operand.boolean, operand.choice
	return out, nil
}

// both is `{a: x} & {b: y}`, or a value that both operands have.
func (c *compiler) both(x *ast.BinaryExpr) (code, error) {
	a, err := c.compile(x.X)
	if err != nil {
		return code{}, err
	}
	b, err := c.compile(x.Y)
	if err != nil {
		return code{}, err
	}
	return code{constant: a.constant && b.constant, choice: a.choice || b.choice, eval: func(f *frame) (any, Status) {
		x, s := a.eval(f)
		y, t := b.eval(f)
		if max(s, t) != Present {
			return nil, Unknown // CUE may have the fields of the one that is there
		}
		o := newObject(0)
		o.unordered = true
		if max(o.addAll(x), o.addAll(y)) == Present {
			return o, Present
		}
		if same, s := equalElements(x, y); s != Present || same {
			return x, s
		}
		if a.choice || b.choice || !isScalar(x) && !isScalar(y) {
			return nil, Unknown // there may be an alternative, or the elements of lists have more fields
		}
		return nil, Absent
	}}, nil
}

// isScalar reports whether a value is neither a list nor a struct.
func isScalar(v any) bool {
	_, fields := fieldsOf(v)
	_, list := v.([]any)
	return !fields && !list
}

// excluded is the status of a value that a type excludes: that of a disjunction may have an
// alternative.
func (x code) excluded() Status {
	if x.choice {
		return Unknown
	}
	return Absent
}

// bound returns the test of a type or of `!=null`; nil for other constraints.
func bound(x ast.Expr) (has func(v any) bool, boolean bool) {
	switch x := unparenthesized(x).(type) {
	case *ast.UnaryExpr:
		if lit, ok := x.X.(*ast.BasicLit); ok && x.Op == token.NEQ && lit.Kind == token.NULL {
			return func(v any) bool { return v != nil }, false
		}
	case *ast.Ident:
		if x.Node != nil {
			return nil, false
		}
		switch x.Name {
		case "bool":
			return func(v any) bool { _, ok := v.(bool); return ok }, true
		case "string":
			return func(v any) bool { _, ok := v.(string); return ok }, false
		case "number":
			return isNumber, false
		}
	}
	return nil, false
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64, json.Number, *decimal:
		return true
	}
	return false
}
