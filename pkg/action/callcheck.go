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

package action

import (
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// checkCalls checks the parameters of calls, and that no calls wait for each other.
func (c *fieldChecker) checkCalls() {
	ast.Walk(c.file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.StructLit:
			c.checkCall(embedded(x), x)
		case *ast.BinaryExpr:
			if x.Op == token.AND {
				c.checkCall(conjuncts(x), x)
			}
		}
		return true
	}, nil)
	c.checkWaits()
}

// checkCall checks what given gives to those of values that are functions.
func (c *fieldChecker) checkCall(values []ast.Expr, given ast.Expr) {
	for _, x := range values {
		if function, name, ok := c.function(x); ok {
			c.checkGiven(given, function, name)
		}
	}
}

// checkGiven checks the fields that x gives to the value schema, which is called name.
func (c *fieldChecker) checkGiven(x ast.Expr, schema cue.Value, name string) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		c.checkGiven(x.X, schema, name)
	case *ast.BinaryExpr:
		if x.Op == token.AND {
			c.checkGiven(x.X, schema, name)
			c.checkGiven(x.Y, schema, name)
		}
	case *ast.StructLit:
		for _, d := range x.Elts {
			switch d := d.(type) {
			case *ast.Comprehension:
				c.checkGiven(d.Value, schema, name)
			case *ast.Field:
				label := expr.LabelName(d.Label)
				if label == "" || expr.IsDefinition(label) || strings.HasPrefix(label, "_") {
					continue
				}
				next, problem := c.field(schema, label)
				if problem != "" {
					c.add(d.Label, "%s has no %q%s", name, label, problem)
				} else if next.Exists() {
					c.checkGiven(d.Value, next, name+"."+label)
				}
			}
		}
	}
}

// function returns the definition that x names, if it is one of a `vela/*` package.
func (c *fieldChecker) function(x ast.Expr) (function cue.Value, name string, ok bool) {
	sel, ok := x.(*ast.SelectorExpr)
	if !ok {
		return function, "", false
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || !c.packages[pkg.Name].Exists() {
		return function, "", false
	}
	name = expr.LabelName(sel.Sel)
	function = c.packages[pkg.Name].LookupPath(cue.ParsePath(name))
	return function, pkg.Name + "." + name, function.Exists()
}

// conjuncts returns the operands of x, also of those that are conjunctions themselves.
func conjuncts(x ast.Expr) []ast.Expr {
	b, ok := x.(*ast.BinaryExpr)
	if !ok || b.Op != token.AND {
		return []ast.Expr{x}
	}
	return append(conjuncts(b.X), conjuncts(b.Y)...)
}

// embedded returns the values that are embedded in x.
func embedded(x *ast.StructLit) []ast.Expr {
	var values []ast.Expr
	for _, d := range x.Elts {
		if e, ok := d.(*ast.EmbedDecl); ok {
			values = append(values, conjuncts(e.Expr)...)
		}
	}
	return values
}
