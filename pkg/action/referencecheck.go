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
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// checkReferences checks the fields that the template refers to: of the parameter, of
// calls and what they return, and of other fields; and that it adds no lists.
func (c *fieldChecker) checkReferences(template cue.Value) {
	c.template = template
	ast.Walk(c.file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.BinaryExpr:
			c.checkLists(x)
		case *ast.SelectorExpr:
			c.value(x, 0, true)
			return !isStatic(x)
		case *ast.IndexExpr:
			c.value(x, 0, true)
			return !isStatic(x)
		}
		return true
	}, nil)
}

// value returns the value that x refers to, and its name. It is not ok if it is not known.
// A field that cannot exist is reported if report is set.
func (c *fieldChecker) value(x ast.Expr, depth int, report bool) (v cue.Value, name string, ok bool) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.value(x.X, depth, report)
	case *ast.Ident:
		return c.declared(x, depth)
	case *ast.IndexExpr:
		if v, name, ok = c.value(x.X, depth, report); !ok {
			return v, name, false
		}
		if lit, isLit := x.Index.(*ast.BasicLit); isLit && lit.Kind == token.STRING {
			return c.member(v, name, expr.LabelName(lit), lit, report)
		}
		v = v.LookupPath(cue.MakePath(cue.AnyIndex))
		return v, name + "[…]", v.Exists()
	case *ast.SelectorExpr:
		if v, name, ok = c.value(x.X, depth, report); !ok {
			return v, name, false
		}
		if label := expr.LabelName(x.Sel); !expr.IsDefinition(label) && !strings.HasPrefix(label, "_") {
			return c.member(v, name, label, x.Sel, report)
		}
	}
	return v, "", false
}

// declared returns the value of an identifier.
func (c *fieldChecker) declared(id *ast.Ident, depth int) (v cue.Value, name string, ok bool) {
	if depth == maxAliases {
		return v, "", false
	}
	if let, isLet := id.Node.(*ast.LetClause); isLet {
		v, _, ok = c.value(let.Expr, depth+1, false)
		return v, id.Name, ok
	}
	if loop, isLoop := id.Scope.(*ast.ForClause); isLoop {
		if v, _, ok = c.value(loop.Source, depth+1, false); !ok || id.Node != ast.Node(loop.Value) || v.IncompleteKind() != cue.ListKind {
			return v, "", false
		}
		v = v.LookupPath(cue.MakePath(cue.AnyIndex))
		return v, id.Name, v.Exists()
	}
	path := cue.ParsePath(id.Name)
	switch {
	case id.Name == "parameter" && (id.Node == nil || id.Scope == c.file):
		path = cue.ParsePath(expr.ParameterSchema)
	case id.Scope != c.file, path.Err() != nil, id.Name == "context":
		return v, "", false
	}
	v = c.template.LookupPath(path)
	return v, id.Name, v.Exists()
}

// member returns the field of v, which is called name.
func (c *fieldChecker) member(v cue.Value, name, field string, at ast.Node, report bool) (cue.Value, string, bool) {
	next, problem := c.field(v, field)
	if known := fieldNames(v); strings.HasSuffix(name, ".$returns") && !slices.Contains(known, field) {
		// What a function returns is open, but a field that is nearly a known one is not meant.
		if hint := diag.Suggest(field, known); problem == "" && hint != "" {
			problem = hint + "; it has " + strings.Join(known, ", ")
		}
	}
	if problem != "" && report {
		c.add(at, "%s has no %q%s", name, field, problem)
	}
	return next, name + "." + field, next.Exists()
}

// isStatic reports whether x is a path from an identifier, without computed indices.
func isStatic(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return true
	case *ast.SelectorExpr:
		return isStatic(x.X)
	case *ast.IndexExpr:
		_, literal := x.Index.(*ast.BasicLit)
		return literal && isStatic(x.X)
	}
	return false
}

// maxAliases limits the let clauses and loops that a reference leads through.
const maxAliases = 8

// checkLists reports an operand of + or * that is a list.
func (c *fieldChecker) checkLists(x *ast.BinaryExpr) {
	use := map[token.Token]string{token.ADD: "list.Concat([a, b])", token.MUL: "list.Repeat(a, n)"}[x.Op]
	if use != "" && (c.isList(x.X) || c.isList(x.Y)) {
		c.addAt(x.OpPos, "%s does not apply to lists; use %s", x.Op, use)
	}
}

// isList reports whether x is known to be a list.
func (c *fieldChecker) isList(x ast.Expr) bool {
	if _, ok := x.(*ast.ListLit); ok {
		return true
	}
	v, _, ok := c.value(x, 0, false)
	return ok && v.IncompleteKind() == cue.ListKind
}
