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
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

func (c *compiler) unary(x *ast.UnaryExpr) (code, error) {
	operand, err := c.compile(x.X)
	if err != nil {
		return code{}, err
	}
	switch x.Op {
	case token.NOT:
		return not(operand), nil
	case token.SUB:
		return negative(operand), nil
	case token.ADD:
		return positive(operand), nil
	}
	return code{}, unsupported(x, "the operator %s", x.Op)
}

func (c *compiler) binary(x *ast.BinaryExpr) (code, error) {
	switch x.Op {
	case token.EQL, token.NEQ:
		if _, bottom := x.Y.(*ast.BottomLit); bottom {
			return c.presence(x.X, x.Op)
		}
		if _, bottom := x.X.(*ast.BottomLit); bottom {
			return c.presence(x.Y, x.Op)
		}
	case token.OR:
		return c.fallback(x)
	case token.AND:
		return c.unification(x)
	case token.MAT, token.NMAT:
		return c.pattern(x)
	}
	a, err := c.compile(x.X)
	if err != nil {
		return code{}, err
	}
	b, err := c.compile(x.Y)
	if err != nil {
		return code{}, err
	}
	switch x.Op {
	case token.LAND, token.LOR:
		return junction(a, b, x.Op == token.LOR), nil
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		return comparison(x.Op, a, b), nil
	case token.ADD, token.SUB, token.MUL, token.QUO:
		return arithmetic(x.Op, a, b), nil
	}
	return code{}, unsupported(x, "the operator %s", x.Op)
}

// binaryCode returns the code of an operation on two values.
func binaryCode(a, b code, operation func(a, b any) (any, Status)) code {
	return code{
		constant: a.constant && b.constant,
		eval: func(f *frame) (any, Status) {
			x, s := a.eval(f)
			if s == Unknown {
				return nil, Unknown
			}
			y, t := b.eval(f)
			if s = max(s, t); s != Present {
				return nil, s
			}
			return operation(x, y)
		},
	}
}

// unaryCode returns the code of an operation on a value.
func unaryCode(a code, operation func(a any) (any, Status)) code {
	return code{
		constant: a.constant,
		eval: func(f *frame) (any, Status) {
			x, s := a.eval(f)
			if s != Present {
				return nil, s
			}
			return operation(x)
		},
	}
}
