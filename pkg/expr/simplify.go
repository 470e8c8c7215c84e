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
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/token"
)

// simplify removes dead code from file: branches whose condition is false, the
// elements after the first one in `[…][0]`, and then the declarations that are not
// referred to any more.
func simplify(file *ast.File) {
	file.Decls = pruneBranches(file.Decls)
	astutil.Apply(file, nil, func(c astutil.Cursor) bool {
		switch n := c.Node().(type) {
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
				c.Replace(n.Y)
			}
		case *ast.IndexExpr:
			if first := firstElement(n); first != nil {
				c.Replace(first)
			}
		}
		return true
	})
	dropUnused(file)
}

// pruneBranches returns elements without the comprehensions whose condition is false,
// and removes conditions that are true.
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

// unconditionalElement returns the element that a comprehension adds to a list where
// its condition is true, and nil for all other elements.
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

// firstElement returns the first element of the list in `[…][0]`, and nil where x is
// another expression or the element depends on a condition.
func firstElement(x *ast.IndexExpr) ast.Expr {
	list, ok := x.X.(*ast.ListLit)
	index, isLit := x.Index.(*ast.BasicLit)
	if !ok || !isLit || index.Value != "0" || len(list.Elts) == 0 {
		return nil
	}
	switch first := list.Elts[0].(type) {
	case *ast.Ellipsis, *ast.Comprehension:
		return nil
	default:
		return first
	}
}

// dropUnused removes let clauses and imports that are not referred to, which CUE does
// not allow, and the parameter where it is not.
func dropUnused(file *ast.File) {
	for before := -1; before != len(file.Decls); {
		before = len(file.Decls)
		used := referencedNodes(file)
		file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
			switch d := d.(type) {
			case *ast.LetClause:
				return !used[d]
			case *ast.Field:
				return LabelName(d.Label) == "parameter" && !used[d.Value]
			}
			return false
		})
	}
	dropUnusedImports(file)
}

// dropUnusedImports removes imports that are not used, which CUE does not allow.
func dropUnusedImports(file *ast.File) {
	used := referencedNodes(file)
	unused := func(spec *ast.ImportSpec) bool { return !used[spec] }
	file.Imports = slices.DeleteFunc(file.Imports, unused)
	for _, d := range file.Decls {
		if imports, ok := d.(*ast.ImportDecl); ok {
			imports.Specs = slices.DeleteFunc(imports.Specs, unused)
		}
	}
}

// referencedNodes returns the nodes that identifiers of file refer to.
func referencedNodes(file *ast.File) map[ast.Node]bool {
	used := map[ast.Node]bool{}
	ast.Walk(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Node] = true
		}
		return true
	}, nil)
	return used
}
