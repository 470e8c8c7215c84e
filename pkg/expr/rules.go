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
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/token"
)

// AbsentField is the field that a condition has the value of where an event lacks what
// the condition depends on. The field is false as soon as there is an event, so that no
// condition is decided before.
const AbsentField = "$absent"

// rules rewrites CUE by the rules for values that an event lacks, so that all that
// evaluates the CUE obeys them:
//
//   - An `if` of a comprehension is false where it cannot be evaluated.
//   - A loop over a field that an element lacks has no elements.
//   - null is absent, except where it is compared with null: `*x | 0` is 0, and x != "a"
//     is not true.
//   - and(list) and or(list), as conditions, are whether all elements, or any, are true.
//     An element that is not true is false.
type rules struct {
	// applies reports whether the rules apply to an expression.
	applies func(x ast.Expr) bool
	// isInput reports whether x is absent where it is null without being rewritten.
	isInput func(x ast.Expr) bool
	// elements are the variables of loops that are elements or fields.
	elements map[ast.Node]loopKind
}

// loopKind is what a loop is over.
type loopKind int

const (
	noLoop loopKind = iota
	overValue
	// overField is a loop over a field of the event, which has no elements before there
	// is an event.
	overField
)

// loopElements returns the variables of the loops in n that are elements or fields, and
// not their indices or names.
func loopElements(n ast.Node) map[ast.Node]loopKind {
	elements := map[ast.Node]loopKind{}
	ast.Walk(n, func(n ast.Node) bool {
		if loop, ok := n.(*ast.ForClause); ok && loop.Value != nil {
			elements[loop.Value] = overValue
			if root := rootOf(loop.Source); root != nil && (root.Name == "context" || elements[root.Node] == overField) {
				elements[loop.Value] = overField
			}
		}
		return true
	}, nil)
	return elements
}

// rewrite applies the rules to n. The identifiers in n have to be resolved before, and
// to be resolved again afterwards.
func (r rules) rewrite(n ast.Node) {
	astutil.Apply(n, func(c astutil.Cursor) bool {
		f, ok := c.Node().(*ast.Field)
		return !ok || !IsDefinition(identName(f.Label))
	}, func(c astutil.Cursor) bool {
		switch n := c.Node().(type) {
		case *ast.Comprehension:
			n.Clauses = r.clauses(n.Clauses)
		case *ast.ForClause:
			if r.applies(n.Source) && r.isPartOfElement(n.Source) {
				n.Source = withDefault(r.notNull(n.Source), ast.NewList())
			}
		case *ast.UnaryExpr:
			if n.Op == token.MUL && r.applies(n.X) {
				n.X = r.notNull(n.X)
			}
		}
		return true
	})
}

// clauses returns the clauses of a comprehension with conditions that can be evaluated
// for each event.
func (r rules) clauses(clauses []ast.Clause) []ast.Clause {
	var out []ast.Clause
	for _, clause := range clauses {
		if c, ok := clause.(*ast.IfClause); ok && r.applies(c.Condition) {
			out = append(out, r.ifClauses(newCondition(c.Condition, false))...)
		} else {
			out = append(out, clause)
		}
	}
	return out
}

// ifClauses returns the clauses for c. Where c compares what elements of a loop have, a
// clause that asks for it costs less than guard.
func (r rules) ifClauses(c *Condition) []ast.Clause {
	var out []ast.Clause
	if c.Op == token.LAND {
		for _, part := range c.Parts {
			out = append(out, r.ifClauses(part)...)
		}
		return out
	}
	needed := r.needed(c)
	if len(needed) == 0 {
		return []ast.Clause{&ast.IfClause{Condition: r.guard(c)}}
	}
	for _, x := range needed {
		present := &ast.BinaryExpr{X: &ast.ParenExpr{X: x}, Op: token.NEQ, Y: &ast.BottomLit{}}
		out = append(out, &ast.IfClause{Condition: present})
	}
	return append(out, &ast.IfClause{Condition: c.syntax()})
}

// needed returns what a leaf needs to be evaluated, where that are fields of the elements
// of a loop over a field: x for x == "a", x & !=null for x != "a", x & bool for x.
func (r rules) needed(c *Condition) []ast.Expr {
	if len(c.Parts) > 0 {
		return nil
	}
	if r.isField(c.Expr) {
		return []ast.Expr{&ast.BinaryExpr{X: c.Expr, Op: token.AND, Y: ast.NewIdent("bool")}}
	}
	x, ok := c.Expr.(*ast.BinaryExpr)
	if !ok || x.Op != token.EQL && x.Op != token.NEQ || hasNull(x) {
		return nil
	}
	_, literal := x.Y.(*ast.BasicLit)
	if !literal || !r.isField(x.X) {
		return nil
	}
	if (x.Op == token.EQL) == c.negated {
		return []ast.Expr{r.notNull(x.X)}
	}
	return []ast.Expr{x.X}
}

// isField reports whether x is a field of an element of a loop over a field.
func (r rules) isField(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return r.elements[x.Node] == overField
	case *ast.SelectorExpr:
		return r.isField(x.X)
	}
	return false
}

// guard returns a condition that can be evaluated for each event.
func (r rules) guard(c *Condition) ast.Expr {
	return c.join(func(c *Condition) ast.Expr {
		if !r.applies(c.Expr) {
			return c.syntax()
		}
		x := r.leaf(c)
		if comparison, ok := x.(*ast.BinaryExpr); ok && hasBottom(comparison) || isBool(x) {
			return x
		}
		if _, ok := x.(*ast.BinaryExpr); !ok {
			x = &ast.BinaryExpr{X: &ast.ParenExpr{X: x}, Op: token.AND, Y: ast.NewIdent("bool")}
		}
		return withDefault(&ast.ParenExpr{X: x}, ast.NewIdent(AbsentField))
	})
}

// leaf returns the expression of a leaf.
func (r rules) leaf(c *Condition) ast.Expr {
	x := r.quantifier(c.Expr)
	comparison, ok := x.(*ast.BinaryExpr)
	if !ok || comparison.Op != token.EQL && comparison.Op != token.NEQ {
		if c.negated {
			return not(x, c.pos)
		}
		return x
	}
	comparison.X, comparison.Y = r.quantifier(comparison.X), r.quantifier(comparison.Y)
	if c.negated {
		comparison.Op = token.EQL + token.NEQ - comparison.Op
	}
	if (comparison.Op == token.NEQ || hasBottom(comparison)) && !hasNull(comparison) {
		comparison.X, comparison.Y = r.notNull(comparison.X), r.notNull(comparison.Y)
	}
	return comparison
}

// quantifier returns the condition for a call of and or or, and all else as it is.
func (r rules) quantifier(x ast.Expr) ast.Expr {
	call, ok := x.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return x
	}
	f, ok := call.Fun.(*ast.Ident)
	if !ok || f.Node != nil || f.Name != "and" && f.Name != "or" {
		return x
	}
	item := ast.NewIdent(itemVariable)
	sought, op := ast.Expr(item), token.GTR
	if f.Name == "and" {
		sought, op = not(item, token.NoPos), token.EQL
	}
	found := forEach(r.conditions(call.Args[0]), sought, item)
	return &ast.BinaryExpr{
		X:  ast.NewCall(identAt("len", call), ast.NewList(found)),
		Op: op, Y: ast.NewLit(token.INT, "0"),
	}
}

// itemVariable is the variable of the loops that quantifier adds.
const itemVariable = "$item"

// conditions returns the list of conditions x, each of which can be evaluated.
func (r rules) conditions(x ast.Expr) ast.Expr {
	list, ok := x.(*ast.ListLit)
	if !ok {
		item := ast.NewIdent(itemVariable)
		value := &ast.BinaryExpr{X: item, Op: token.AND, Y: ast.NewIdent("bool")}
		return ast.NewList(forEach(x, nil, withDefault(&ast.ParenExpr{X: value}, ast.NewIdent(AbsentField))))
	}
	for i, element := range list.Elts {
		switch element := element.(type) {
		case *ast.Ellipsis:
		case *ast.Comprehension:
			if embedded := embeddedValue(element); embedded != nil {
				embedded.Expr = r.guard(newCondition(embedded.Expr, false))
			}
		default:
			list.Elts[i] = r.guard(newCondition(element, false))
		}
	}
	return list
}

// embeddedValue returns x of a comprehension with the value {x}, or nil.
func embeddedValue(c *ast.Comprehension) *ast.EmbedDecl {
	value, ok := c.Value.(*ast.StructLit)
	if !ok || len(value.Elts) != 1 {
		return nil
	}
	embedded, _ := value.Elts[0].(*ast.EmbedDecl)
	return embedded
}

// forEach returns `for $item in list if condition {value}`; condition may be nil.
func forEach(list, condition, value ast.Expr) *ast.Comprehension {
	c := &ast.Comprehension{
		Clauses: []ast.Clause{&ast.ForClause{Value: ast.NewIdent(itemVariable), Source: list}},
		Value:   &ast.StructLit{Elts: []ast.Decl{&ast.EmbedDecl{Expr: value}}},
	}
	if condition != nil {
		c.Clauses = append(c.Clauses, &ast.IfClause{Condition: condition})
	}
	return c
}

// notNull returns x, which is absent where it is null.
func (r rules) notNull(x ast.Expr) ast.Expr {
	if !r.isPath(x) || r.isInput(x) {
		return x
	}
	bound := &ast.UnaryExpr{Op: token.NEQ, X: ast.NewNull()}
	return &ast.ParenExpr{Lparen: x.Pos(), X: &ast.BinaryExpr{X: x, Op: token.AND, Y: bound}}
}

// withDefault returns `(*x | other)`.
func withDefault(x, other ast.Expr) ast.Expr {
	preferred := &ast.UnaryExpr{Op: token.MUL, X: x}
	return &ast.ParenExpr{Lparen: x.Pos(), X: &ast.BinaryExpr{X: preferred, Op: token.OR, Y: other}}
}

// identAt returns an identifier at the position of n.
func identAt(name string, n ast.Node) *ast.Ident {
	return &ast.Ident{Name: name, NamePos: n.Pos()}
}

// isPath reports whether x is an element of a loop, or selects from a declaration.
func (r rules) isPath(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return r.elements[x.Node] != noLoop
	case *ast.SelectorExpr:
		return rootOf(x.X) != nil
	case *ast.IndexExpr:
		return rootOf(x.X) != nil
	case *ast.ParenExpr:
		return r.isPath(x.X)
	}
	return false
}

// rootOf returns the identifier that x is, or selects from; nil where there is none.
func rootOf(x ast.Expr) *ast.Ident {
	switch x := x.(type) {
	case *ast.Ident:
		return x
	case *ast.SelectorExpr:
		return rootOf(x.X)
	case *ast.IndexExpr:
		return rootOf(x.X)
	case *ast.ParenExpr:
		return rootOf(x.X)
	}
	return nil
}

// isPartOfElement reports whether x selects from the variable of a loop.
func (r rules) isPartOfElement(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return r.isElement(x.X)
	case *ast.IndexExpr:
		return r.isElement(x.X)
	}
	return false
}

func (r rules) isElement(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	return ok && r.elements[id.Node] != noLoop || r.isPartOfElement(x)
}

// hasBottom reports whether x compares with `_|_`.
func hasBottom(x *ast.BinaryExpr) bool {
	_, left := x.X.(*ast.BottomLit)
	_, right := x.Y.(*ast.BottomLit)
	return (left || right) && (x.Op == token.EQL || x.Op == token.NEQ)
}

// hasNull reports whether an operand of x is the literal null.
func hasNull(x *ast.BinaryExpr) bool { return isNull(x.X) || isNull(x.Y) }

func isNull(x ast.Expr) bool {
	lit, ok := x.(*ast.BasicLit)
	return ok && lit.Kind == token.NULL
}

func isBool(x ast.Expr) bool {
	lit, ok := x.(*ast.BasicLit)
	return ok && (lit.Kind == token.TRUE || lit.Kind == token.FALSE)
}
