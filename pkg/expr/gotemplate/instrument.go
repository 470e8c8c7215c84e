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

package gotemplate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// instrumenter inserts calls into trees: those that count, those that write the values
// of actions, and those that select fields of values that may be absent.
type instrumenter struct {
	source    string
	functions template.FuncMap
	// actions are the actions whose values are written, with their positions.
	actions []string
	err     error
}

func (in *instrumenter) instrument(tree *parse.Tree) {
	in.list(tree.Root)
	tree.Root.Nodes = slices.Concat([]parse.Node{call(enterFunction)}, tree.Root.Nodes, []parse.Node{call(leaveFunction)})
}

// list inserts a call of step before each part of list, and into the lists within it. An
// empty list gets one, too: `{{range 1000}}{{end}}` repeats it.
func (in *instrumenter) list(list *parse.ListNode) {
	if list == nil {
		return
	}
	counted := []parse.Node{call(stepFunction, min(stepInterval, len(list.Nodes)+1))}
	for i, n := range list.Nodes {
		if i > 0 && i%stepInterval == 0 {
			counted = append(counted, call(stepFunction, min(stepInterval, len(list.Nodes)-i)))
		}
		counted = append(counted, n)
		in.node(n)
	}
	list.Nodes = counted
}

func (in *instrumenter) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ActionNode:
		in.action(n)
	case *parse.IfNode:
		in.branch(&n.BranchNode)
	case *parse.RangeNode:
		in.branch(&n.BranchNode)
		n.Pipe.Cmds = append(n.Pipe.Cmds, command(n.Pos, rangeFunction, number64(len(n.Pipe.Decl))))
	case *parse.WithNode:
		in.branch(&n.BranchNode)
	case *parse.TemplateNode:
		in.pipe(n.Pipe)
	}
}

func (in *instrumenter) branch(b *parse.BranchNode) {
	in.pipe(b.Pipe)
	in.list(b.List)
	in.list(b.ElseList)
}

// action makes the value of n the argument of a call of write.
func (in *instrumenter) action(n *parse.ActionNode) {
	before := in.source[:min(int(n.Pos), len(in.source))]
	before = before[:max(strings.LastIndex(before, "{{"), 0)]
	line, column := diag.PositionAfter(before)
	text := fmt.Sprintf("%d:%d: %s", line, column, n)
	in.pipe(n.Pipe)
	if len(n.Pipe.Decl) > 0 {
		return // the value of a variable
	}
	n.Pipe.Cmds = append(n.Pipe.Cmds, command(n.Pos, writeFunction, number64(len(in.actions))))
	in.actions = append(in.actions, text)
}

// pipe replaces the fields in p by calls of field.
func (in *instrumenter) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for i, c := range p.Cmds {
		in.checkArguments(c, i > 0)
		text := c.String()
		for i, arg := range c.Args {
			c.Args[i] = in.argument(arg)
		}
		if _, isPipe := c.Args[0].(*parse.PipeNode); isPipe && len(c.Args) > 1 {
			in.fail(c.Pos, "%s is not a function", text)
		}
	}
}

// fail records the first error.
func (in *instrumenter) fail(pos parse.Pos, format string, args ...any) {
	if in.err == nil {
		line, _ := diag.PositionAfter(in.source[:min(int(pos), len(in.source))])
		in.err = fmt.Errorf("template: it:%d: %s", line, fmt.Sprintf(format, args...))
	}
}

// checkArguments fails if c calls a function with too few or too many arguments, or a
// function of measures with a text that has no value. The last argument is piped if piped
// is set.
func (in *instrumenter) checkArguments(c *parse.CommandNode, piped bool) {
	id, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok || in.functions[id.Ident] == nil {
		return
	}
	f, got := reflect.TypeOf(in.functions[id.Ident]), len(c.Args)-1
	if piped {
		got++
	}
	want := f.NumIn()
	switch {
	case f.IsVariadic() && got < want-1:
		in.fail(c.Pos, "wrong number of arguments for %s: at least %d, not %d", id.Ident, want-1, got)
	case !f.IsVariadic() && got != want:
		in.fail(c.Pos, "wrong number of arguments for %s: %d, not %d", id.Ident, want, got)
	}
	if len(c.Args) != 2 || !slices.Contains(measure.Functions(), measure.Function(id.Ident)) {
		return
	}
	if text, ok := c.Args[1].(*parse.StringNode); ok {
		if problem := measure.Function(id.Ident).Problem(text.Text); problem != "" {
			in.fail(c.Pos, "%s", problem)
		}
	}
}

func (in *instrumenter) argument(n parse.Node) parse.Node {
	switch n := n.(type) {
	case *parse.FieldNode:
		return fieldOf(n.Pos, &parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, n.Ident)
	case *parse.VariableNode:
		if len(n.Ident) > 1 {
			variable := &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: n.Ident[:1]}
			return fieldOf(n.Pos, variable, n.Ident[1:])
		}
	case *parse.ChainNode:
		return fieldOf(n.Pos, in.argument(n.Node), n.Field)
	case *parse.PipeNode:
		in.pipe(n)
	}
	return n
}

// fieldOf returns `(field of names…)`.
func fieldOf(pos parse.Pos, of parse.Node, names []string) parse.Node {
	args := []parse.Node{of}
	for _, name := range names {
		args = append(args, &parse.StringNode{NodeType: parse.NodeString, Pos: pos, Quoted: fmt.Sprintf("%q", name), Text: name})
	}
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{command(pos, fieldFunction, args...)}}
}

func command(pos parse.Pos, function string, args ...parse.Node) *parse.CommandNode {
	name := parse.NewIdentifier(function).SetPos(pos)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: append([]parse.Node{name}, args...)}
}

func number64(n int) parse.Node {
	return &parse.NumberNode{NodeType: parse.NodeNumber, IsInt: true, Int64: int64(n), Text: fmt.Sprint(n)}
}

// call returns the action `{{function args…}}`.
func call(function string, args ...int) parse.Node {
	var nodes []parse.Node
	for _, n := range args {
		nodes = append(nodes, number64(n))
	}
	return &parse.ActionNode{
		NodeType: parse.NodeAction,
		Pipe:     &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{command(0, function, nodes...)}},
	}
}
