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

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/expr/measure"
	"github.com/kubevela/kube-trigger/pkg/expr/types"
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
	k := c.types.Of(x).Kinds
	switch call, _ := x.(*ast.CallExpr); {
	case k.Has(datatype.Bool):
	case call != nil && c.unknownFunction(call.Fun) != "": // checkFunction reports it
	case k.IsOne():
		c.add(x, "must be a boolean, not %s: %s", k, Excerpt(x))
	default:
		c.add(x, "must be a boolean: %s", Excerpt(x))
	}
}

// checkOperands reports a comparison of operands that are of different kinds for every
// event: it has always the same result, or none.
func (c *checker) checkOperands(x *ast.BinaryExpr) {
	if c.unquoted(x.X) != nil || c.unquoted(x.Y) != nil {
		return
	}
	a, b := c.types.Of(x.X).Kinds, c.types.Of(x.Y).Kinds
	if (x.Op == token.MAT || x.Op == token.NMAT) && isKnown(b) && b != datatype.String {
		c.add(x.Y, "%s compares with a regular expression, a string, not with %s: %s", x.Op, b, Excerpt(x.Y))
		return
	}
	if !isKnown(a) || !isKnown(b) || a == b {
		return
	}
	hint := ""
	if text, ok := c.measured(x.X, x.Y); ok {
		hint = "; compare with " + text
	}
	switch {
	case x.Op == token.EQL || x.Op == token.NEQ:
		c.add(x, "%s and %s are never equal: %s%s", a, b, Excerpt(x), hint)
	case isOrder(x.Op):
		c.add(x, "%s and %s have no order: %s%s", a, b, Excerpt(x), hint)
	}
}

// isKnown reports whether k is one kind, but neither null, which anything may be compared with, nor
// bytes, which checkBytes reports.
func isKnown(k datatype.Kinds) bool { return k.IsOne() && k != datatype.Null && k != datatype.Bytes }

// measured returns `quantity("10Gi")` for the operands quantity(x) and "10Gi", in any
// order.
func (c *checker) measured(x, y ast.Expr) (string, bool) {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		if call, ok = y.(*ast.CallExpr); !ok {
			return "", false
		}
		y = x
	}
	text, ok := stringLiteral(y)
	name := calledFunction(call)
	return fmt.Sprintf("%s(%q)", name, text), ok && name != ""
}

// checkAlternatives reports `a | b` in place of `a || b`, which has no value unless both
// conditions have the same.
func (c *checker) checkAlternatives(x ast.Expr) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		c.checkAlternatives(x.X)
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			c.checkAlternatives(x.X)
		}
	case *ast.BinaryExpr:
		switch {
		case x.Op == token.LAND || x.Op == token.LOR:
			c.checkAlternatives(x.X)
			c.checkAlternatives(x.Y)
		case x.Op == token.OR && !closure.IsDefaulted(x):
			c.addAt(x.OpPos, "a | b is one of two values, and no condition; write a || b")
		}
	}
}

// checkCall reports what a call can never have a result for, and methods.
func (c *checker) checkCall(call *ast.CallExpr) {
	if sel := method(call); sel != nil {
		c.add(sel.Sel, "%s", methodMessage(sel))
		return
	}
	if len(call.Args) == 0 {
		return
	}
	if name := calledFunction(call); name != "" {
		c.checkMeasure(name, call.Args[0])
		return
	}
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		if pkg, ok := sel.X.(*ast.Ident); ok && c.imports[pkg.Name] == "regexp" {
			c.checkRegexp(call.Args[0])
		}
	}
}

// checkFunction reports a function or a constant that a package does not have.
func (c *checker) checkFunction(x *ast.SelectorExpr) {
	if message := c.unknownFunction(x); message != "" {
		c.add(x.Sel, "%s", message)
	}
}

// unknownFunction returns why a package of the standard library does not have x, or "".
func (c *checker) unknownFunction(x ast.Expr) string {
	sel, ok := x.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	path, name := c.imports[pkg.Name], LabelName(sel.Sel)
	if _, imported := pkg.Node.(*ast.ImportSpec); !imported || !slices.Contains(types.StandardLibrary(), path) {
		return ""
	}
	known, ok := c.functions[path]
	if !ok {
		known = types.Functions(path)
		c.functions[path] = known
	}
	if slices.Contains(known, name) {
		return ""
	}
	return fmt.Sprintf("the package %q has no function %q%s", path, name, diag.Suggest(name, known))
}

// checkMeasure reports an argument of a function that is not of the form it takes.
func (c *checker) checkMeasure(function string, x ast.Expr) {
	if text, ok := stringLiteral(x); ok && !isBytes(x) {
		if message := measure.Function(function).Problem(text); message != "" {
			c.add(x, "%s", message)
		}
		return
	}
	k := c.types.Of(x).Kinds
	if isKnown(k) && k != datatype.String && (k != datatype.Number || function != string(measure.Quantity)) {
		c.add(x, "%s takes a text, not %s: %s", function, k, Excerpt(x))
	}
}

// checkIndex reports an index from the end of a list, which CUE does not have.
func (c *checker) checkIndex(x *ast.IndexExpr) {
	if index, ok := x.Index.(*ast.UnaryExpr); ok && index.Op == token.SUB {
		c.add(index, "an index is not negative; the last element is %s[len(%[1]s)-1]", Excerpt(x.X))
	}
}

// checkQuoted reports a name with "-" or "/" that is not quoted: in
// `context.data.metadata.labels.my-app`, CUE subtracts app.
func (c *checker) checkQuoted(x *ast.BinaryExpr) {
	if id := c.unquoted(x); id != nil {
		c.add(id, "unknown name %q; a name with \"-\", \".\" or \"/\" needs brackets and quotes: labels[\"example.com/my-app\"]", id.Name)
	}
}

// unquoted returns the undeclared name that x subtracts from a path below context, or
// divides it by; nil if x does not.
func (c *checker) unquoted(x ast.Expr) *ast.Ident {
	operation, ok := x.(*ast.BinaryExpr)
	if !ok || operation.Op != token.SUB && operation.Op != token.QUO {
		return nil
	}
	if id := c.unquoted(operation.X); id != nil {
		return id
	}
	_, isPath := c.Reference(operation.X)
	id := rootOf(operation.Y)
	if !isPath || id == nil || id.Node != nil || id.Name == "context" || len(c.helper(id)) > 0 {
		return nil
	}
	return id
}
