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
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// checkCondition refuses x, or the operands of && and || in it, that can never
// be boolean.
func (c *checker) checkCondition(x ast.Expr) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		c.checkCondition(x.X)
		return
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			c.checkCondition(x.X)
			return
		}
	case *ast.BinaryExpr:
		if x.Op == token.LAND || x.Op == token.LOR {
			c.checkCondition(x.X)
			c.checkCondition(x.Y)
			return
		}
	}
	switch k := c.kindOf(x, len(c.helpers)); k {
	case unknown, boolean:
	case other:
		c.add(x, "can never be true or false: %s", excerpt(x))
	default:
		c.add(x, "is %s, never true or false: %s", k, excerpt(x))
	}
}

// kindOf returns what is known of the value of x, following up to depth
// helpers.
func (c *checker) kindOf(x ast.Expr, depth int) kind {
	if r, ok := c.reference(x); ok {
		if r.computed {
			return unknown
		}
		return c.schemaKind(c.declared(r))
	}
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.kindOf(x.X, depth)
	case *ast.BasicLit:
		return literalKind(x)
	case *ast.Interpolation:
		return text
	case *ast.ListLit:
		return list
	case *ast.StructLit:
		return object
	case *ast.BottomLit, *ast.SliceExpr:
		return other
	case *ast.Ident:
		if helper := c.helper(x); len(helper) == 1 && depth > 0 {
			return c.kindOf(helper[0].value, depth-1)
		}
		if slices.Contains([]string{"_", "bool", "string", "bytes", "int", "float", "number"}, x.Name) {
			return other
		}
	case *ast.SelectorExpr:
		if id, ok := x.X.(*ast.Ident); ok && c.imports[id.Name] != "" {
			return other
		}
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			return boolean
		}
		return other
	case *ast.BinaryExpr:
		return c.binaryKind(x, depth)
	case *ast.CallExpr:
		return c.callKind(x)
	}
	return unknown
}

func (c *checker) binaryKind(x *ast.BinaryExpr, depth int) kind {
	switch x.Op {
	case token.LAND, token.LOR, token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT:
		return boolean
	case token.AND, token.OR:
		a, b := c.kindOf(x.X, depth), c.kindOf(x.Y, depth)
		if a == b || b == unknown && x.Op == token.AND {
			return a
		}
		if a == unknown && x.Op == token.AND {
			return b
		}
		return unknown
	}
	a, b := c.kindOf(x.X, depth), c.kindOf(x.Y, depth)
	switch {
	case a == text || b == text:
		return text
	case x.Op == token.SUB || x.Op == token.QUO || a == number && b == number:
		return number
	}
	return other
}

func (c *checker) callKind(x *ast.CallExpr) kind {
	switch fun := x.Fun.(type) {
	case *ast.Ident:
		if slices.Contains([]string{"len", "div", "mod", "quo", "rem"}, fun.Name) {
			return number
		}
		if fun.Name == "close" {
			return object
		}
	case *ast.SelectorExpr:
		pkg, ok := fun.X.(*ast.Ident)
		name, _ := selected(fun.Sel)
		if ok && c.imports[pkg.Name] != "" && !slices.Contains(booleans(c.imports[pkg.Name]), name) {
			return other
		}
	}
	return unknown
}

func literalKind(x *ast.BasicLit) kind {
	switch x.Kind {
	case token.TRUE, token.FALSE:
		return boolean
	case token.STRING:
		return text
	case token.INT, token.FLOAT:
		return number
	}
	return other
}
