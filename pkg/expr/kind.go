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
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// checkCondition reports the operands of && and || in x that cannot be boolean.
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
	case unknownKind, boolKind:
	case nonBoolKind:
		c.add(x, "must be a boolean: %s", Excerpt(x))
	default:
		c.add(x, "must be a boolean, not %s: %s", k, Excerpt(x))
	}
}

// kindOf returns the kind of the value of x. It follows at most depth helpers.
func (c *checker) kindOf(x ast.Expr, depth int) valueKind {
	if r, ok := c.Reference(x); ok {
		if r.Computed {
			return unknownKind
		}
		return c.schemaKind(c.schemaOf(r))
	}
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.kindOf(x.X, depth)
	case *ast.BasicLit:
		return literalKind(x)
	case *ast.Interpolation:
		return stringKind
	case *ast.ListLit:
		return listKind
	case *ast.StructLit:
		return structKind
	case *ast.BottomLit, *ast.SliceExpr:
		return nonBoolKind
	case *ast.Ident:
		if helper := c.helper(x); len(helper) == 1 && depth > 0 {
			return c.kindOf(helper[0].value, depth-1)
		}
		if slices.Contains([]string{"_", "bool", "string", "bytes", "int", "float", "number"}, x.Name) {
			return nonBoolKind
		}
	case *ast.SelectorExpr:
		if id, ok := x.X.(*ast.Ident); ok && c.imports[id.Name] != "" {
			return nonBoolKind
		}
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			return boolKind
		}
		return nonBoolKind
	case *ast.BinaryExpr:
		return c.binaryKind(x, depth)
	case *ast.CallExpr:
		return c.callKind(x)
	}
	return unknownKind
}

func (c *checker) binaryKind(x *ast.BinaryExpr, depth int) valueKind {
	switch x.Op {
	case token.LAND, token.LOR, token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT:
		return boolKind
	case token.AND, token.OR:
		a, b := c.kindOf(x.X, depth), c.kindOf(x.Y, depth)
		if a == b || b == unknownKind && x.Op == token.AND {
			return a
		}
		if a == unknownKind && x.Op == token.AND {
			return b
		}
		return unknownKind
	}
	a, b := c.kindOf(x.X, depth), c.kindOf(x.Y, depth)
	switch {
	case a == stringKind || b == stringKind:
		return stringKind
	case x.Op == token.SUB || x.Op == token.QUO || a == numberKind && b == numberKind:
		return numberKind
	}
	return nonBoolKind
}

func (c *checker) callKind(x *ast.CallExpr) valueKind {
	switch fun := x.Fun.(type) {
	case *ast.Ident:
		switch {
		case fun.Name == string(measure.Version):
			return stringKind
		case slices.Contains([]string{"len", "div", "mod", "quo", "rem"}, fun.Name) || slices.Contains(Functions(), fun.Name):
			return numberKind
		}
		if fun.Name == "close" {
			return structKind
		}
	case *ast.SelectorExpr:
		pkg, ok := fun.X.(*ast.Ident)
		name, _ := fieldName(fun.Sel)
		if ok && c.imports[pkg.Name] != "" && !slices.Contains(boolFunctions(c.imports[pkg.Name]), name) {
			return nonBoolKind
		}
	}
	return unknownKind
}

func literalKind(x *ast.BasicLit) valueKind {
	switch x.Kind {
	case token.TRUE, token.FALSE:
		return boolKind
	case token.STRING:
		return stringKind
	case token.INT, token.FLOAT:
		return numberKind
	}
	return nonBoolKind
}
