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

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/token"
)

// simplify leaves out of file what never comes to be: branches whose condition is
// false, the elements after the first of a list of which that one is taken, and
// then what nothing refers to any more.
func simplify(file *ast.File) {
	file.Decls = pruneBranches(file.Decls)
	astutil.Apply(file, nil, func(at astutil.Cursor) bool {
		switch n := at.Node().(type) {
		case *ast.StructLit:
			n.Elts = pruneBranches(n.Elts)
		case *ast.ListLit:
			n.Elts = pruneBranches(n.Elts)
			for i, x := range n.Elts {
				if value := unconditionalElement(x); value != nil {
					n.Elts[i] = value
				}
			}
		case *ast.BinaryExpr:
			if n.Op == token.LAND && isBoolLiteral(n.X, true) {
				at.Replace(n.Y)
			}
		case *ast.IndexExpr:
			if first := firstElement(n); first != nil {
				at.Replace(first)
			}
		}
		return true
	})
	dropUnused(file)
}

// pruneBranches returns elements without those whose conditions are false, and the
// others without those of their conditions that are true.
func pruneBranches[E ast.Node](elements []E) []E {
	return slices.DeleteFunc(elements, func(e E) bool {
		c, ok := ast.Node(e).(*ast.Comprehension)
		if !ok {
			return false
		}
		for len(c.Clauses) > 1 {
			clause, ok := c.Clauses[0].(*ast.IfClause)
			if !ok || !isBoolLiteral(clause.Condition, true) {
				break
			}
			c.Clauses = c.Clauses[1:]
		}
		clause, ok := c.Clauses[0].(*ast.IfClause)
		return ok && isBoolLiteral(clause.Condition, false)
	})
}

func isBoolLiteral(x ast.Expr, value bool) bool {
	kind := token.FALSE
	if value {
		kind = token.TRUE
	}
	lit, ok := x.(*ast.BasicLit)
	return ok && lit.Kind == kind
}

// unconditionalElement returns the element that a comprehension without a condition makes of a
// list; nil for other elements.
func unconditionalElement(x ast.Expr) ast.Expr {
	c, ok := x.(*ast.Comprehension)
	if !ok || len(c.Clauses) > 1 {
		return nil
	}
	clause, ok := c.Clauses[0].(*ast.IfClause)
	if !ok || !isBoolLiteral(clause.Condition, true) {
		return nil
	}
	value, ok := c.Value.(*ast.StructLit)
	if !ok {
		return nil
	}
	if len(value.Elts) == 1 {
		if embedded, ok := value.Elts[0].(*ast.EmbedDecl); ok {
			return embedded.Expr
		}
	}
	return value
}

// firstElement returns the first element of a list, if that is what x is and it is
// always there.
func firstElement(x *ast.IndexExpr) ast.Expr {
	list, ok := x.X.(*ast.ListLit)
	index, constant := x.Index.(*ast.BasicLit)
	if !ok || !constant || index.Value != "0" || len(list.Elts) == 0 {
		return nil
	}
	switch first := list.Elts[0].(type) {
	case *ast.Ellipsis, *ast.Comprehension:
		return nil
	default:
		return first
	}
}

// dropUnused takes out let clauses that nothing refers to, and imports: CUE
// refuses both. So it does with the parameter, which nothing else reads.
func dropUnused(file *ast.File) {
	for before := -1; before != len(file.Decls); {
		before = len(file.Decls)
		used := ReferencedNodes(file)
		file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
			switch d := d.(type) {
			case *ast.LetClause:
				return !used[d]
			case *ast.Field:
				return labelName(d.Label) == "parameter" && !used[d.Value]
			}
			return false
		})
	}
	DropUnusedImports(file)
}
