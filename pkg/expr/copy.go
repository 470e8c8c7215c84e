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
// declarations of the copy. Comments are shared.
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
func copied[N interface {
	comparable
	ast.Node
}](c *copier, n N) N {
	var none N
	if n == none {
		return none
	}
	out, _ := c.copyNode(n).(N)
	return out
}

// target is copied for a node that an identifier can refer to.
func target[N interface {
	comparable
	ast.Node
}](c *copier, n N) N {
	out := copied(c, n)
	c.nodes[n] = out
	return out
}

// copiedAll returns the copies of list.
func copiedAll[N interface {
	comparable
	ast.Node
}](c *copier, list []N) []N {
	if list == nil {
		return nil
	}
	out := make([]N, len(list))
	for i, n := range list {
		out[i] = copied(c, n)
	}
	return out
}

func (c *copier) copyNode(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.File:
		out := *n
		c.nodes[n] = &out
		for _, id := range n.Unresolved {
			c.nodes[id] = nil // set when the identifier is copied
		}
		out.Decls = copiedAll(c, n.Decls)
		out.Imports, out.Unresolved = counterparts(c, n.Imports), counterparts(c, n.Unresolved)
		return &out
	case *ast.ImportDecl:
		out := *n
		out.Specs = slices.Clone(n.Specs)
		for i := range out.Specs {
			out.Specs[i] = target(c, n.Specs[i])
		}
		return &out
	case *ast.ImportSpec:
		out := *n
		out.Name, out.Path = copied(c, n.Name), copied(c, n.Path)
		return &out
	case *ast.Package:
		out := *n
		out.Name = copied(c, n.Name)
		return &out
	case ast.Clause:
		return c.copyClause(n)
	case *ast.Field:
		out := *n
		c.nodes[n] = &out
		out.Label, out.Value, out.Attrs = copied(c, n.Label), target(c, n.Value), copiedAll(c, n.Attrs)
		return &out
	case *ast.EmbedDecl:
		out := *n
		out.Expr = copied(c, n.Expr)
		return &out
	case *ast.Attribute:
		out := *n
		return &out
	case ast.Expr:
		return c.copyExpr(n)
	}
	return n // comments, and what has a syntax error
}

func (c *copier) copyClause(n ast.Clause) ast.Node {
	switch n := n.(type) {
	case *ast.ForClause:
		out := *n
		c.nodes[n] = &out
		out.Key, out.Value, out.Source = target(c, n.Key), target(c, n.Value), copied(c, n.Source)
		return &out
	case *ast.IfClause:
		out := *n
		out.Condition = copied(c, n.Condition)
		return &out
	case *ast.LetClause:
		out := *n
		c.nodes[n] = &out
		out.Ident, out.Expr = target(c, n.Ident), target(c, n.Expr)
		return &out
	case *ast.Alias:
		out := *n
		c.nodes[n] = &out
		out.Ident, out.Expr = target(c, n.Ident), target(c, n.Expr)
		return &out
	}
	return n
}

func (c *copier) copyExpr(n ast.Expr) ast.Node {
	switch n := n.(type) {
	case *ast.Ident:
		out := *n
		if _, isTarget := c.nodes[n]; isTarget {
			c.nodes[n] = &out
		}
		c.identifiers = append(c.identifiers, &out)
		return &out
	case *ast.BasicLit:
		out := *n
		return &out
	case *ast.BottomLit:
		out := *n
		return &out
	case *ast.Interpolation:
		out := *n
		out.Elts = copiedAll(c, n.Elts)
		return &out
	case *ast.Func:
		out := *n
		out.Args, out.Ret = copiedAll(c, n.Args), copied(c, n.Ret)
		return &out
	case *ast.StructLit:
		out := *n
		c.nodes[n] = &out
		out.Elts = copiedAll(c, n.Elts)
		return &out
	case *ast.ListLit:
		out := *n
		out.Elts = copiedAll(c, n.Elts)
		return &out
	case *ast.Ellipsis:
		out := *n
		out.Type = copied(c, n.Type)
		return &out
	case *ast.Comprehension:
		out := *n
		out.Clauses, out.Value = copiedAll(c, n.Clauses), copied(c, n.Value)
		return &out
	case *ast.ParenExpr:
		out := *n
		out.X = copied(c, n.X)
		return &out
	case *ast.SelectorExpr:
		out := *n
		out.X, out.Sel = copied(c, n.X), copied(c, n.Sel)
		return &out
	case *ast.IndexExpr:
		out := *n
		out.X, out.Index = copied(c, n.X), copied(c, n.Index)
		return &out
	case *ast.SliceExpr:
		out := *n
		out.X, out.Low, out.High = copied(c, n.X), copied(c, n.Low), copied(c, n.High)
		return &out
	case *ast.CallExpr:
		out := *n
		out.Fun, out.Args = copied(c, n.Fun), copiedAll(c, n.Args)
		return &out
	case *ast.UnaryExpr:
		out := *n
		out.X = copied(c, n.X)
		return &out
	case *ast.BinaryExpr:
		out := *n
		out.X, out.Y = copied(c, n.X), copied(c, n.Y)
		return &out
	}
	return n
}
