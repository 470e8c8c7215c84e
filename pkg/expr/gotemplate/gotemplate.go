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

// Package gotemplate executes Go templates of strangers with limits: on steps, time,
// recursion, the text that functions build, and output.
//
// A template that exceeds a limit stops with a LimitError. Templates are parsed once
// and executed many times.
package gotemplate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/template"
	"text/template/parse"
	"time"
)

// Limits of one execution.
const (
	// MaxSteps limits the nodes of the template that are executed.
	MaxSteps = 100_000
	// MaxDuration limits the time of templates of more than a few steps: a pause of the
	// machine stops no short one.
	MaxDuration = time.Second
	// MaxDepth limits the templates that call each other.
	MaxDepth = 100
	// MaxOutput limits the output, in bytes. A property of the largest object of
	// Kubernetes fits.
	MaxOutput = 1 << 20
	// MaxText limits the text that functions such as printf build, in bytes: of one
	// call before it is made, and of all calls together.
	MaxText = 4 << 20
)

// LimitError reports that an execution was stopped at a limit.
type LimitError struct{ limit string }

func (e *LimitError) Error() string { return "Go template stopped: " + e.limit }

// stepInterval is the number of nodes between two checks of the limits in a list of
// nodes without branches.
const stepInterval = 64

// untimedChecks is the number of checks of the time before the limit holds.
const untimedChecks = 100

// Names of functions that are inserted into templates. A template cannot call them,
// because they are not defined while it is parsed.
const (
	stepFunction  = "step"
	enterFunction = "enter"
	leaveFunction = "leave"
)

// Template is a parsed template. It is safe for concurrent use.
type Template struct {
	// executors are the *executor that are not in use.
	executors sync.Pool
	now       func() time.Time
}

// Parse parses source. Syntax errors and unknown functions are errors with the line.
func Parse(source string) (*Template, error) {
	parsed, err := template.New("it").Funcs((&execution{}).textFunctions()).Funcs(measures()).Parse(source)
	if err != nil {
		return nil, err
	}
	for _, t := range parsed.Templates() {
		if t.Tree != nil {
			instrument(t.Tree)
		}
	}
	t := &Template{now: time.Now}
	t.executors.New = func() any { return newExecutor(parsed) }
	return t, nil
}

// Execute returns the output of the template with data. It does not modify data. The
// error is a *LimitError if a limit stopped the execution.
func (t *Template) Execute(data any) (string, error) {
	e, _ := t.executors.Get().(*executor)
	defer t.executors.Put(e)
	return e.execute(data, t.now)
}

// executor is a copy of a template whose functions count in its own execution.
type executor struct {
	template  *template.Template
	execution *execution
	err       error
}

func newExecutor(parsed *template.Template) *executor {
	e := &executor{execution: &execution{}}
	if e.template, e.err = parsed.Clone(); e.err == nil {
		e.template.Funcs(e.execution.textFunctions()).Funcs(e.execution.stepFunctions())
	}
	return e
}

func (e *executor) execute(data any, now func() time.Time) (string, error) {
	if e.err != nil {
		return "", e.err
	}
	*e.execution = execution{now: now, deadline: now().Add(MaxDuration)}
	var out strings.Builder
	err := e.template.Execute(&writer{&out, e.execution}, data)
	if e.execution.exceeded != nil {
		return "", e.execution.exceeded
	}
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

// execution counts what one execution has spent.
type execution struct {
	now      func() time.Time
	deadline time.Time
	// checks is the number of checks of the time.
	steps, depth, text, checks int
	exceeded                   *LimitError
}

// stop records the limit that was exceeded and returns it as an error.
func (e *execution) stop(format string, args ...any) error {
	e.exceeded = &LimitError{fmt.Sprintf(format, args...)}
	return e.exceeded
}

// step counts n nodes.
func (e *execution) step(n int) (string, error) {
	if e.steps += n; e.steps > MaxSteps {
		return "", e.stop("more than %d steps", MaxSteps)
	}
	return "", e.checkTime()
}

func (e *execution) checkTime() error {
	if e.checks++; e.checks > untimedChecks && e.now().After(e.deadline) {
		return e.stop("it takes longer than %s", MaxDuration)
	}
	return nil
}

// enter and leave enclose each template that is called.
func (e *execution) enter() (string, error) {
	if e.depth++; e.depth > MaxDepth {
		return "", e.stop("more than %d templates call each other", MaxDepth)
	}
	return "", nil
}

func (e *execution) leave() string {
	e.depth--
	return ""
}

func (e *execution) stepFunctions() template.FuncMap {
	return template.FuncMap{stepFunction: e.step, enterFunction: e.enter, leaveFunction: e.leave}
}

// writer is the output of an execution.
type writer struct {
	out       *strings.Builder
	execution *execution
}

// Write implements io.Writer. It fails at the limits of output and time.
func (w *writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // as of an inserted call
	}
	if w.out.Len()+len(p) > MaxOutput {
		return 0, w.execution.stop("more than %d KiB of output", MaxOutput>>10)
	}
	if err := w.execution.checkTime(); err != nil {
		return 0, err
	}
	return w.out.Write(p)
}

var _ io.Writer = (*writer)(nil)

// instrument inserts calls that count into tree.
func instrument(tree *parse.Tree) {
	instrumentList(tree.Root)
	tree.Root.Nodes = slices.Concat([]parse.Node{call(enterFunction)}, tree.Root.Nodes, []parse.Node{call(leaveFunction)})
}

// instrumentList inserts a call of step before each part of list, and into the lists
// within it. An empty list gets one, too: `{{range 1000}}{{end}}` repeats it.
func instrumentList(list *parse.ListNode) {
	if list == nil {
		return
	}
	counted := []parse.Node{call(stepFunction, min(stepInterval, len(list.Nodes)+1))}
	for i, n := range list.Nodes {
		if i > 0 && i%stepInterval == 0 {
			counted = append(counted, call(stepFunction, min(stepInterval, len(list.Nodes)-i)))
		}
		counted = append(counted, n)
		if b := branch(n); b != nil {
			instrumentList(b.List)
			instrumentList(b.ElseList)
		}
	}
	list.Nodes = counted
}

func branch(n parse.Node) *parse.BranchNode {
	switch n := n.(type) {
	case *parse.IfNode:
		return &n.BranchNode
	case *parse.RangeNode:
		return &n.BranchNode
	case *parse.WithNode:
		return &n.BranchNode
	}
	return nil
}

// call returns the action `{{function args…}}`.
func call(function string, args ...int) parse.Node {
	command := &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(function)}}
	for _, n := range args {
		command.Args = append(command.Args, &parse.NumberNode{
			NodeType: parse.NodeNumber, IsInt: true, Int64: int64(n), Text: fmt.Sprint(n),
		})
	}
	return &parse.ActionNode{
		NodeType: parse.NodeAction,
		Pipe:     &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{command}},
	}
}
