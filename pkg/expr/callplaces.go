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
	"fmt"
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// CheckCallPlaces reports the calls in file that are not made because they are no fields:
// functions within expressions, and the results of let clauses, definitions and lists
// within expressions. isFunction reports whether an expression is a function of a package.
// The identifiers of file have to be resolved.
func CheckCallPlaces(file *ast.File, isFunction func(*ast.SelectorExpr) bool) diag.List {
	c := placeChecker{callSites: newCallSites(file), isFunction: isFunction}
	c.walk(file, true)
	return c.list
}

type placeChecker struct {
	callSites
	isFunction func(*ast.SelectorExpr) bool
	list       diag.List
}

// walk checks n. made is set if a function at n is the value of a field.
func (c *placeChecker) walk(n ast.Node, made bool) {
	ast.Walk(n, func(n ast.Node) bool { return c.visit(n, made) }, nil)
}

// visit reports whether the children of n are values of fields as n is. If they are not, it
// has checked them.
func (c *placeChecker) visit(n ast.Node, made bool) bool {
	switch n := n.(type) {
	case *ast.Field:
		if LabelName(n.Label) != ParameterSchema {
			c.walk(n.Label, false)
			c.walk(n.Value, made)
		}
		return false
	case *ast.LetClause:
		c.walk(n.Expr, true) // as long as it is only the value of fields
		return false
	case *ast.ForClause:
		c.walk(n.Source, true)
		return false
	case *ast.IfClause:
		c.walk(n.Condition, false)
		return false
	case *ast.CallExpr:
		return isUnification(n) || c.within(n.Args...)
	case *ast.BinaryExpr:
		return n.Op == token.AND || n.Op == token.OR || c.within(n.X, n.Y)
	case *ast.UnaryExpr:
		return n.Op == token.MUL || c.within(n.X)
	case *ast.Interpolation:
		return c.within(n.Elts...)
	case *ast.IndexExpr:
		c.checkReturns(n)
		_, chosen := n.X.(*ast.ListLit)
		c.walk(n.X, made && chosen)
		c.walk(n.Index, false)
		return false
	case *ast.SelectorExpr:
		c.selector(n, made)
		return false
	}
	return true
}

// within checks operands of an expression. It returns false.
func (c *placeChecker) within(operands ...ast.Expr) bool {
	for _, x := range operands {
		c.walk(x, false)
	}
	return false
}

func (c *placeChecker) selector(n *ast.SelectorExpr, made bool) {
	if !c.isFunction(n) {
		c.checkReturns(n)
		c.walk(n.X, false)
		return
	}
	if !made {
		pkg, _ := n.X.(*ast.Ident)
		name := pkg.Name + "." + LabelName(n.Sel)
		c.add(n, `%s makes no call here, because it is within an expression: make it a field, such as "call: %s & {…}", and use call.$returns`, name, name)
	}
}

// checkReturns reports n if it is the `$returns` of what is no field.
func (c *placeChecker) checkReturns(n ast.Expr) {
	if lastName(n) != "$returns" {
		return
	}
	id := rootOf(selectedFrom(n))
	if id == nil {
		return
	}
	if source := c.sources[id.Node]; source != nil {
		if c.make(source, false) {
			c.add(id, `%s has no $returns, because the calls that it loops over are not made: make the list a field, and loop over that`, id.Name)
		}
		return
	}
	isLet := c.lets[id.Node] != nil
	switch {
	case !isLet && !IsDefinition(id.Name) || !c.identMakes(id, false):
	case isLet:
		c.add(id, `%s has no $returns, because calls in let clauses are not made: make it a field, "%s: …"`, id.Name, id.Name)
	default:
		c.add(id, `%s has no $returns, because calls in definitions are not made: make a field of it, such as "call: %s", and use call.$returns`, id.Name, id.Name)
	}
}

// isUnification reports whether a call of a builtin function unifies or chooses values.
func isUnification(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.Ident)
	return ok && f.Node == nil && slices.Contains([]string{"and", "or", "close"}, f.Name)
}

func (c *placeChecker) add(n ast.Node, format string, args ...any) {
	c.list = append(c.list, diag.Diagnostic{Line: n.Pos().Line(), Column: n.Pos().Column(), Message: fmt.Sprintf(format, args...)})
}
