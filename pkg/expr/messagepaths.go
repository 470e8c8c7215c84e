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
	"maps"
	"slices"
	"text/template/parse"
)

// eachPath calls visit with each path below the context that the template names, but for those of elements
// of lists.
func (m Message) eachPath(visit func(path []string, pos parse.Pos)) {
	m.eachElementPath(func(path []string, pos parse.Pos) {
		if !slices.Contains(path, elementStep) {
			visit(path, pos)
		}
	})
}

// elementStep is the name of the elements of a list in a path.
const elementStep = "[]"

// eachElementPath calls visit with each path below the context that the template names.
func (m Message) eachElementPath(visit func(path []string, pos parse.Pos)) {
	tree := parse.New("it")
	tree.Mode = parse.SkipFuncCheck
	if tree, err := tree.Parse(m.Source, "{{", "}}", map[string]*parse.Tree{}); err == nil && tree.Root != nil {
		v := pathVisitor{visit, assigned(tree.Root)}
		v.node(tree.Root, dot{isKnown: true, variables: map[string][]string{"$": nil}})
	}
}

// assigned returns the variables to which a value is assigned after their declaration: what they are is
// not known.
func assigned(n parse.Node) map[string]bool {
	names := map[string]bool{}
	var visit func(n parse.Node)
	branch := func(b parse.BranchNode) {
		visit(b.Pipe)
		visit(b.List)
		if b.ElseList != nil {
			visit(b.ElseList)
		}
	}
	visit = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			for _, e := range n.Nodes {
				visit(e)
			}
		case *parse.ActionNode:
			visit(n.Pipe)
		case *parse.IfNode:
			branch(n.BranchNode)
		case *parse.WithNode:
			branch(n.BranchNode)
		case *parse.RangeNode:
			branch(n.BranchNode)
		case *parse.PipeNode:
			if n.IsAssign {
				for _, variable := range n.Decl {
					names[variable.Ident[0]] = true
				}
			}
		}
	}
	visit(n)
	return names
}

// dot is the path below the context that the dot of a template is, if that is known, and those that
// variables are.
type dot struct {
	path      []string
	isKnown   bool
	variables map[string][]string
}

// declare returns the dot with variables that a pipe declares as path, if that is known.
func (v pathVisitor) declare(d dot, variables []*parse.VariableNode, path []string, isKnown bool) dot {
	if len(variables) == 0 {
		return d
	}
	d.variables = maps.Clone(d.variables)
	for _, variable := range variables {
		delete(d.variables, variable.Ident[0])
	}
	if last := variables[len(variables)-1].Ident[0]; isKnown && !v.assigned[last] {
		d.variables[last] = path
	}
	return d
}

// pathVisitor calls visit with each path below the context.
type pathVisitor struct {
	visit    func(path []string, pos parse.Pos)
	assigned map[string]bool
}

// node visits the paths in n. `with` and `range` set the dot.
func (v pathVisitor) node(n parse.Node, d dot) {
	branch := func(b parse.BranchNode, inner, otherwise dot) {
		v.node(b.Pipe, d)
		v.node(b.List, inner)
		if b.ElseList != nil {
			v.node(b.ElseList, otherwise)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, e := range n.Nodes {
			v.node(e, d)
			if a, ok := e.(*parse.ActionNode); ok {
				value := d.of(a.Pipe)
				d = v.declare(d, a.Pipe.Decl, value.path, value.isKnown)
			}
		}
	case *parse.ActionNode:
		v.node(n.Pipe, d)
	case *parse.IfNode:
		value := d.of(n.Pipe)
		inner := v.declare(d, n.Pipe.Decl, value.path, value.isKnown)
		branch(n.BranchNode, inner, inner)
	case *parse.WithNode:
		inner := d.of(n.Pipe)
		declared := v.declare(d, n.Pipe.Decl, inner.path, inner.isKnown)
		inner.variables = declared.variables
		branch(n.BranchNode, inner, declared)
	case *parse.RangeNode:
		inner := d.of(n.Pipe)
		inner.path = append(slices.Clip(inner.path), elementStep)
		inner.variables = v.declare(d, n.Pipe.Decl, inner.path, inner.isKnown).variables
		branch(n.BranchNode, inner, d)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			v.command(c, d)
		}
	}
}

// of returns the dot that a pipe of one path sets.
func (d dot) of(p *parse.PipeNode) dot {
	if len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return dot{variables: d.variables}
	}
	path, ok := d.pathOf(p.Cmds[0].Args[0])
	return dot{path, ok, d.variables}
}

// pathOf returns the path below the context that n is.
func (d dot) pathOf(n parse.Node) ([]string, bool) {
	switch n := n.(type) {
	case *parse.FieldNode:
		return append(slices.Clip(d.path), n.Ident...), d.isKnown
	case *parse.VariableNode:
		path, ok := d.variables[n.Ident[0]]
		return append(slices.Clip(path), n.Ident[1:]...), ok
	}
	return nil, false
}

// command visits the paths in a command.
func (v pathVisitor) command(c *parse.CommandNode, d dot) {
	for i, arg := range c.Args {
		pos := arg.Position()
		switch arg := arg.(type) {
		case *parse.FieldNode:
			if len(arg.Ident) > 1 { // the position is that of the second name
				pos -= parse.Pos(len("." + arg.Ident[0]))
			}
		case *parse.VariableNode:
			pos -= parse.Pos(min(len(arg.Ident)-1, 1))
		case *parse.PipeNode:
			v.node(arg, d)
		}
		path, ok := d.pathOf(arg)
		if !ok || len(path) == 0 {
			continue
		}
		if name, ok := indexedName(c, i); ok {
			path = append(slices.Clip(path), name)
		}
		v.visit(path, pos)
	}
}

// indexedName returns the name in `index X "NAME"`, where X is the argument i of c.
func indexedName(c *parse.CommandNode, i int) (string, bool) {
	fun, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok || fun.Ident != "index" || i != 1 || len(c.Args) < 3 {
		return "", false
	}
	name, ok := c.Args[2].(*parse.StringNode)
	if !ok {
		return "", false
	}
	return name.Text, true
}
