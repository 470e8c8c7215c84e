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
	"strconv"
	"strings"
	"text/template/parse"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// Check returns the syntax errors and the unknown functions in the message templates of
// properties.
func (m Messages) Check(properties map[string]any) diag.List {
	var list diag.List
	for _, message := range m.Of(properties) {
		if !strings.Contains(message.Source, "{{") || message.From != "" {
			continue
		}
		_, err := gotemplate.Parse(message.Source, message.Place)
		if err == nil {
			continue
		}
		// "template: it:3: message"
		parts := strings.SplitN(err.Error(), ":", 4)
		line, _ := strconv.Atoi(parts[min(2, len(parts)-1)])
		list = append(list, diag.Diagnostic{
			Path: message.Name(), Line: max(line, 1), Column: 1,
			Message: "invalid Go template: " + withMessageHint(strings.TrimSpace(parts[len(parts)-1])),
		})
	}
	return list
}

// withMessageHint adds to a syntax error of a Go template what is likely meant.
func withMessageHint(message string) string {
	if strings.Contains(message, "bad character U+002D") || strings.Contains(message, "bad character U+002F") {
		return message + `; a name with "-", "." or "/" is selected with index: {{index .data.metadata.labels "example.com/my-app"}}`
	}
	switch {
	case strings.Contains(message, "bad character U+005B"):
		return message + "; an element is selected with index: {{(index .data.spec.containers 0).image}}"
	case strings.Contains(message, "malformed character constant"):
		return message + "; texts are in double quotes or in backquotes"
	}
	if name, ok := strings.CutPrefix(message, "function "); ok {
		name, _ = strconv.Unquote(strings.TrimSuffix(name, " not defined"))
		if path := pathOf(name); path != "" || name == "context" {
			return message + "; paths begin with a dot, without context: .data.metadata.name"
		}
		if hint := equivalent(name); strings.Contains(hint, "(") {
			return message + "; the action's field cue has " + hint
		}
	}
	return message
}

// CheckFields returns the fields that message templates of properties select, and that are
// none of the known fields of `context`, or that no event of a form has: .metadata in place
// of .data.metadata, .data.ref in place of .data.body.ref.
func (m Messages) CheckFields(properties map[string]any, known []string, form event.Form) Findings {
	var list Findings
	for _, message := range m.Of(properties) {
		if message.From != "" {
			continue
		}
		message.eachElementPath(func(path []string, pos parse.Pos) {
			if problem, certainty := unknownPath(path, known, form); problem != "" {
				line, column := message.position(pos)
				list = append(list, Finding{diag.Diagnostic{Path: message.Name(), Line: line, Column: column, Message: problem}, certainty})
			}
		})
	}
	return list
}

// unknownPath returns why no event of a form has a value at path, or "".
func unknownPath(path, known []string, form event.Form) (problem string, certainty Certainty) {
	name := path[0]
	if slices.Contains(known, name) {
		t, ok := form.Context(datatype.Of(datatype.Struct)).Field(name)
		for i, name := range path[1:] {
			if name == elementStep {
				t = t.Element()
				continue
			}
			at := func() string {
				return strings.ReplaceAll("."+strings.Join(path[:i+1], "."), "."+elementStep, elementStep)
			}
			if problem, certainty = unknownField(t, name, at, place{form.Data, ".data"}); problem != "" || !ok {
				return problem, certainty
			}
			t, ok = t.Field(name)
		}
		return "", 0
	}
	hint := diag.Suggest(name, known)
	switch {
	case name == "context":
		hint = "; the dot is context: ." + strings.Join(path[1:], ".")
	case hint == "":
		hint = "; fields of the object are in .data: .data." + strings.Join(path, ".")
	}
	return "." + name + " is never there" + hint, Doubtful
}

// position returns the line and the column of pos in the template.
func (m Message) position(pos parse.Pos) (line, column int) {
	return diag.PositionAfter(m.Source[:max(pos, 0)])
}

// CheckResults returns the invalid references to results in the message templates of
// properties: `.results.NAME` or `index .results "NAME"`. validate returns the reason
// why a name, or the path of fields below that result, is invalid, or "".
func (m Messages) CheckResults(properties map[string]any, validate func(name string, fields []string) string) diag.List {
	var list diag.List
	for _, message := range m.Of(properties) {
		if message.From != "" {
			continue
		}
		message.eachPath(func(path []string, pos parse.Pos) {
			if path[0] != ResultsField || len(path) < 2 {
				return
			}
			if reason := validate(path[1], path[2:]); reason != "" {
				line, column := message.position(pos)
				list = append(list, diag.Diagnostic{
					Path: message.Name(), Line: line, Column: column,
					Message: "." + ResultsField + "." + path[1] + ": " + reason,
				})
			}
		})
	}
	return list
}

// Context returns the fields of `context` that the message templates of properties name.
func (m Messages) Context(properties map[string]any) FieldSet {
	root := &fieldNode{}
	for _, message := range m.Of(properties) {
		message.eachPath(func(path []string, _ parse.Pos) { root.add(path) })
	}
	if len(root.fields) == 0 {
		return FieldSet{}
	}
	return FieldSet{root}
}

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
