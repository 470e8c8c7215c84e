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
	"text/template/parse"
)

// Fields returns the fields of `context` that the output of the template, or of its default, may
// depend on, apart from those that name the object of the event: its kind and its metadata.
func (m Message) Fields() FieldSet {
	return templateFields(m.Source).Union(templateFields(m.Default))
}

func templateFields(source string) FieldSet {
	tree, trees := parse.New("it"), map[string]*parse.Tree{}
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(source, "{{", "}}", trees); err != nil || len(trees) > 1 {
		return All()
	}
	w := templateWalker{fields: &fieldNode{}}
	if tree.Root != nil {
		w.node(tree.Root, true)
	}
	if !w.referenced {
		return FieldSet{}
	}
	return FieldSet{w.fields}
}

// templateWalker collects the fields of the context that a template names. A value that is not
// read from the context itself is part of one that is.
type templateWalker struct {
	fields     *fieldNode
	referenced bool
}

func (w *templateWalker) add(path []string) { w.referenced = true; w.fields.add(path) }

// node adds the fields that n names. isContext is true if the dot is the context.
func (w *templateWalker) node(n parse.Node, isContext bool) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, e := range n.Nodes {
			w.node(e, isContext)
		}
	case *parse.ActionNode:
		w.node(n.Pipe, isContext)
	case *parse.IfNode:
		w.branch(n.BranchNode, isContext, isContext)
	case *parse.WithNode:
		w.branch(n.BranchNode, isContext, false)
	case *parse.RangeNode:
		w.branch(n.BranchNode, isContext, false)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			for _, arg := range c.Args {
				w.node(arg, isContext)
			}
		}
	case *parse.ChainNode:
		w.node(n.Node, isContext)
	case *parse.FieldNode:
		if isContext {
			w.add(n.Ident)
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			w.add(n.Ident[1:])
		}
	case *parse.DotNode:
		if isContext {
			w.add(nil)
		}
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode,
		*parse.IdentifierNode, *parse.BoolNode, *parse.NilNode, *parse.NumberNode, *parse.StringNode:
	default:
		w.add(nil)
	}
}

// branch adds the fields of an if, with or range. inner is true if the dot in it is the context.
func (w *templateWalker) branch(b parse.BranchNode, isContext, inner bool) {
	w.node(b.Pipe, isContext)
	w.node(b.List, inner)
	w.node(b.ElseList, isContext)
}
