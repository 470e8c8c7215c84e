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
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Condition is a part of a boolean expression: a leaf, or parts that are joined by && or
// ||. A negation is moved to the leaves: !(a && b) has the parts !a and !b, joined by ||.
// So a leaf that cannot be evaluated for an event, because the event lacks a field, is
// not true, and the whole is what it would be if the field had some other value.
type Condition struct {
	// Op is token.LAND or token.LOR where there are Parts.
	Op    token.Token
	Parts []*Condition
	// Source is the source on one line, Line and Column are its position in the text.
	Source       string
	Line, Column int
	// Expr is the expression of a leaf, to which the rules for absent values are
	// applied.
	Expr ast.Expr

	// negated is set while Expr has to be negated.
	negated bool
	pos     token.Pos
}

// newCondition splits x at its && and ||.
func newCondition(x ast.Expr, negated bool) *Condition {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return newCondition(x.X, negated)
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			c := newCondition(x.X, !negated)
			c.pos = x.Pos()
			return c
		}
	case *ast.BinaryExpr:
		if op := x.Op; op == token.LAND || op == token.LOR {
			if negated {
				op = token.LAND + token.LOR - op
			}
			c := &Condition{Op: op, Expr: x, negated: negated, pos: x.Pos()}
			c.add(newCondition(x.X, negated))
			c.add(newCondition(x.Y, negated))
			return c
		}
	}
	return &Condition{Expr: x, negated: negated, pos: x.Pos()}
}

// add adds a part to c, or the parts of one with the same operator: a || b || c has three.
func (c *Condition) add(part *Condition) {
	if part.Op == c.Op {
		c.Parts = append(c.Parts, part.Parts...)
	} else {
		c.Parts = append(c.Parts, part)
	}
}

// describe sets the sources and positions.
func (c *Condition) describe() {
	c.Line, c.Column = c.pos.Line(), c.pos.Column()
	if len(c.Parts) == 0 {
		c.Source = Excerpt(c.syntax())
		return
	}
	sources := make([]string, len(c.Parts))
	for i, part := range c.Parts {
		part.describe()
		sources[i] = part.Source
		if part.Op == token.LOR {
			sources[i] = "(" + part.Source + ")"
		}
	}
	c.Source = diag.Truncate(strings.Join(sources, " "+c.Op.String()+" "), maxExcerpt)
}

// syntax returns the source of c.
func (c *Condition) syntax() ast.Expr {
	if !c.negated {
		return c.Expr
	}
	return not(c.Expr, c.pos)
}

// leaves returns the leaves of c, in the order of the text.
func (c *Condition) leaves() []*Condition {
	if len(c.Parts) == 0 {
		return []*Condition{c}
	}
	var all []*Condition
	for _, part := range c.Parts {
		all = append(all, part.leaves()...)
	}
	return all
}

// join returns the expression of c with that of each leaf.
func (c *Condition) join(leaf func(*Condition) ast.Expr) ast.Expr {
	if len(c.Parts) == 0 {
		return leaf(c)
	}
	joined := c.Parts[0].join(leaf)
	for _, part := range c.Parts[1:] {
		joined = &ast.BinaryExpr{X: joined, Op: c.Op, Y: part.join(leaf)}
	}
	return &ast.ParenExpr{X: joined}
}

// not returns `!x`, at pos.
func not(x ast.Expr, pos token.Pos) ast.Expr {
	switch x.(type) {
	case *ast.ParenExpr, *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr, *ast.CallExpr:
	default:
		x = &ast.ParenExpr{X: x}
	}
	return &ast.UnaryExpr{OpPos: pos, Op: token.NOT, X: x}
}
