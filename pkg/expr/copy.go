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
)

// Copy returns a deep copy of file, which is cheaper than parsing it again. Its identifiers refer to
// declarations of the copy.
func Copy(file *ast.File) *ast.File {
	c := copier{nodes: map[ast.Node]ast.Node{}}
	out := copied(&c, file)
	for _, id := range c.identifiers {
		id.Node, id.Scope = c.counterpart(id.Node), c.counterpart(id.Scope)
	}
	return out
}

// copier copies syntax trees.
type copier struct {
	// nodes has the copies of those nodes that an identifier can refer to, by what they are
	// copies of.
	nodes       map[ast.Node]ast.Node
	identifiers []*ast.Ident
}

// comparableNode is a type of nodes that may be nil.
type comparableNode interface {
	comparable
	ast.Node
}

// counterpart returns the copy of a node that an identifier refers to. Nodes that are not in
// the tree have none.
func (c *copier) counterpart(n ast.Node) ast.Node {
	if other := c.nodes[n]; other != nil {
		return other
	}
	return n
}

// counterparts returns the copies of list.
func counterparts[N ast.Node](c *copier, list []N) []N {
	out := slices.Clone(list)
	for i, n := range out {
		out[i], _ = c.counterpart(n).(N)
	}
	return out
}

// copied returns the copy of n, which may be nil.
func copied[N comparableNode](c *copier, n N) N {
	var none N
	if n == none {
		return none
	}
	other := c.copyNode(n)
	copyComments(n, other)
	out, _ := other.(N)
	return out
}

// target is copied for a node that an identifier can refer to.
func target[N comparableNode](c *copier, n N) N {
	out := copied(c, n)
	c.nodes[n] = out
	return out
}

// copiedAll returns the copies of list.
func copiedAll[N comparableNode](c *copier, list []N) []N {
	if list == nil {
		return nil
	}
	out := make([]N, len(list))
	for i, n := range list {
		out[i] = copied(c, n)
	}
	return out
}

// copyComments gives a copy the comments of n. What is shared with n cannot be changed by it.
func copyComments(n, to ast.Node) {
	groups := ast.Comments(n)
	if len(groups) == 0 || to == n {
		return
	}
	out := make([]*ast.CommentGroup, len(groups))
	for i, g := range groups {
		out[i] = copyGroup(g)
	}
	ast.SetComments(to, out)
}

func copyGroup(g *ast.CommentGroup) *ast.CommentGroup {
	out := &ast.CommentGroup{Doc: g.Doc, Line: g.Line, Position: g.Position}
	for _, line := range g.List {
		out.List = append(out.List, &ast.Comment{Slash: line.Slash, Text: line.Text})
	}
	return out
}

// copyNode returns the copy of n without its comments. The copy is made of fields, because
// assignment would share the comments.
func (c *copier) copyNode(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.File:
		out := &ast.File{Filename: n.Filename, LanguageVersion: n.LanguageVersion}
		c.nodes[n] = out
		for _, id := range n.Unresolved {
			c.nodes[id] = nil // set when the identifier is copied
		}
		out.Decls = copiedAll(c, n.Decls)
		out.Imports, out.Unresolved = counterparts(c, n.Imports), counterparts(c, n.Unresolved)
		return out
	case *ast.ImportDecl:
		out := &ast.ImportDecl{Import: n.Import, Lparen: n.Lparen, Rparen: n.Rparen, Specs: slices.Clone(n.Specs)}
		for i := range out.Specs {
			out.Specs[i] = target(c, n.Specs[i])
		}
		return out
	case *ast.ImportSpec:
		return &ast.ImportSpec{Name: copied(c, n.Name), Path: copied(c, n.Path), EndPos: n.EndPos}
	case *ast.Package:
		return &ast.Package{PackagePos: n.PackagePos, Name: copied(c, n.Name)}
	case ast.Clause:
		return c.copyClause(n)
	case *ast.Field:
		out := &ast.Field{Optional: n.Optional, Constraint: n.Constraint, TokenPos: n.TokenPos, Token: n.Token} //nolint:staticcheck // the parser sets the deprecated fields
		c.nodes[n] = out
		out.Label, out.Value, out.Attrs = copied(c, n.Label), target(c, n.Value), copiedAll(c, n.Attrs)
		return out
	case *ast.EmbedDecl:
		return &ast.EmbedDecl{Expr: copied(c, n.Expr)}
	case *ast.Attribute:
		return &ast.Attribute{At: n.At, Text: n.Text}
	case *ast.CommentGroup:
		return copyGroup(n)
	case ast.Expr:
		return c.copyExpr(n)
	}
	return n // what has a syntax error
}

func (c *copier) copyClause(n ast.Clause) ast.Node {
	switch n := n.(type) {
	case *ast.ForClause:
		out := &ast.ForClause{For: n.For, Colon: n.Colon, In: n.In}
		c.nodes[n] = out
		out.Key, out.Value, out.Source = target(c, n.Key), target(c, n.Value), copied(c, n.Source)
		return out
	case *ast.IfClause:
		return &ast.IfClause{If: n.If, Condition: copied(c, n.Condition)}
	case *ast.LetClause:
		out := &ast.LetClause{Let: n.Let, Equal: n.Equal}
		c.nodes[n] = out
		out.Ident, out.Expr = target(c, n.Ident), target(c, n.Expr)
		return out
	case *ast.Alias:
		out := &ast.Alias{Equal: n.Equal}
		c.nodes[n] = out
		out.Ident, out.Expr = target(c, n.Ident), target(c, n.Expr)
		return out
	}
	return n
}

func (c *copier) copyExpr(n ast.Expr) ast.Node {
	switch n := n.(type) {
	case *ast.Ident:
		out := &ast.Ident{NamePos: n.NamePos, Name: n.Name, Scope: n.Scope, Node: n.Node}
		if _, isTarget := c.nodes[n]; isTarget {
			c.nodes[n] = out
		}
		c.identifiers = append(c.identifiers, out)
		return out
	case *ast.BasicLit:
		return &ast.BasicLit{ValuePos: n.ValuePos, Kind: n.Kind, Value: n.Value}
	case *ast.BottomLit:
		return &ast.BottomLit{Bottom: n.Bottom}
	case *ast.Interpolation:
		return &ast.Interpolation{Elts: copiedAll(c, n.Elts)}
	case *ast.Func:
		return &ast.Func{Func: n.Func, Args: copiedAll(c, n.Args), Ret: copied(c, n.Ret)}
	case *ast.StructLit:
		out := &ast.StructLit{Lbrace: n.Lbrace, Rbrace: n.Rbrace}
		c.nodes[n] = out
		out.Elts = copiedAll(c, n.Elts)
		return out
	case *ast.ListLit:
		return &ast.ListLit{Lbrack: n.Lbrack, Elts: copiedAll(c, n.Elts), Rbrack: n.Rbrack}
	case *ast.Ellipsis:
		return &ast.Ellipsis{Ellipsis: n.Ellipsis, Type: copied(c, n.Type)}
	case *ast.Comprehension:
		return &ast.Comprehension{Clauses: copiedAll(c, n.Clauses), Value: copied(c, n.Value)}
	case *ast.ParenExpr:
		return &ast.ParenExpr{Lparen: n.Lparen, X: copied(c, n.X), Rparen: n.Rparen}
	case *ast.SelectorExpr:
		return &ast.SelectorExpr{X: copied(c, n.X), Sel: copied(c, n.Sel)}
	case *ast.IndexExpr:
		return &ast.IndexExpr{X: copied(c, n.X), Lbrack: n.Lbrack, Index: copied(c, n.Index), Rbrack: n.Rbrack}
	case *ast.SliceExpr:
		return &ast.SliceExpr{X: copied(c, n.X), Lbrack: n.Lbrack, Low: copied(c, n.Low), High: copied(c, n.High), Rbrack: n.Rbrack}
	case *ast.CallExpr:
		return &ast.CallExpr{Fun: copied(c, n.Fun), Lparen: n.Lparen, Args: copiedAll(c, n.Args), Rparen: n.Rparen}
	case *ast.UnaryExpr:
		return &ast.UnaryExpr{OpPos: n.OpPos, Op: n.Op, X: copied(c, n.X)}
	case *ast.BinaryExpr:
		return &ast.BinaryExpr{X: copied(c, n.X), OpPos: n.OpPos, Op: n.Op, Y: copied(c, n.Y)}
	}
	return n
}
