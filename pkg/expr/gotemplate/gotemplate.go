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

// Package gotemplate executes Go templates of strangers: message templates.
//
// Steps, time, recursion, the text that functions build, and output are limited; a
// template that exceeds a limit stops with a LimitError. Values are escaped for the
// Place of the output, which is cut to the length that the place allows. Absent values
// are empty. Templates are parsed once and executed many times.
package gotemplate

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/template"
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
	writeFunction = "write"
	fieldFunction = "field"
	rangeFunction = "elements"
)

// Template is a parsed template. It is safe for concurrent use.
type Template struct {
	place Place
	// executors are the *executor that are not in use.
	executors sync.Pool
	now       func() time.Time
}

// Parse parses source, whose output goes to place. Syntax errors, unknown functions and a
// wrong number of arguments are errors with the line.
func Parse(source string, place Place) (*Template, error) {
	functions := (&execution{}).functions()
	parsed, err := template.New("it").Funcs(functions).Parse(source)
	if err != nil {
		return nil, err
	}
	in := instrumenter{source: source, functions: functions}
	for _, t := range parsed.Templates() {
		if t.Tree != nil {
			in.instrument(t.Tree)
		}
	}
	if in.err != nil {
		return nil, in.err
	}
	t := &Template{place: place, now: time.Now}
	t.executors.New = func() any { return newExecutor(parsed, place, in.actions) }
	return t, nil
}

// Output is the result of an execution.
type Output struct {
	// Text is the output, escaped and not longer than its place allows.
	Text string
	// Absent are the parts of the template that are empty because their value is absent,
	// with their positions: `1:5: {{.data.status.phase}}`. Each is named once.
	Absent []string
}

// Execute returns the output of the template with data, the fields of `context`. It does
// not modify data. The error is a *LimitError if a limit stopped the execution, and an
// *AbsentError if the place needs a value that is absent.
func (t *Template) Execute(data map[string]any) (Output, error) {
	e, _ := t.executors.Get().(*executor)
	defer t.executors.Put(e)
	out, err := e.execute(data, t.now)
	if err == nil && out.Text == "" && len(out.Absent) > 0 && t.place.needsValue() {
		err = &AbsentError{out.Absent[0]}
	}
	return out, err
}

// AbsentError reports an output that must not be empty.
type AbsentError struct{ part string }

func (e *AbsentError) Error() string { return e.part + " is absent, and nothing else is there" }

// Escape returns text, a value that something else than a template has computed, as a
// value at place.
func Escape(text string, place Place) string {
	o := newOutput(place)
	if place == JSON {
		o.addText(text) // a document, not a value
	} else {
		o.addValue(text)
	}
	return o.String()
}

func newOutput(place Place) *output { return &output{place: place, state: state{lineStart: true}} }

// executor is a copy of a template whose functions count in its own execution.
type executor struct {
	template  *template.Template
	execution *execution
	place     Place
	actions   []string
	err       error
}

func newExecutor(parsed *template.Template, place Place, actions []string) *executor {
	e := &executor{execution: &execution{}, place: place, actions: actions}
	if e.template, e.err = parsed.Clone(); e.err == nil {
		e.template.Funcs(e.execution.functions()).Funcs(e.execution.insertedFunctions())
	}
	return e
}

func (e *executor) execute(data map[string]any, now func() time.Time) (Output, error) {
	if e.err != nil {
		return Output{}, e.err
	}
	*e.execution = execution{now: now, deadline: now().Add(MaxDuration), out: newOutput(e.place), data: data}
	err := e.template.Execute(&writer{e.execution}, data)
	run := *e.execution
	e.execution.out, e.execution.data = nil, nil // which the pool must not keep
	if run.exceeded != nil {
		return Output{}, run.exceeded
	}
	if err != nil {
		return Output{}, err
	}
	result := Output{Text: run.out.String()}
	for _, action := range run.absent {
		result.Absent = append(result.Absent, e.actions[action])
	}
	return result, nil
}

// execution counts what one execution has spent.
type execution struct {
	now      func() time.Time
	deadline time.Time
	// checks is the number of checks of the time.
	steps, depth, text, checks int
	exceeded                   *LimitError
	out                        *output
	data                       map[string]any
	// absent are the indexes of the actions whose value is absent.
	absent []int
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

// write writes the value v of an action. It returns no text, because the output has it.
func (e *execution) write(action int, v any) (string, error) {
	if err := e.checkTime(); err != nil {
		return "", err
	}
	if v == nil && !slices.Contains(e.absent, action) {
		e.absent = append(e.absent, action)
	}
	switch text := textOf(v); {
	case e.out.place == JSON && !e.out.state.inString:
		text, err := jsonValue(v)
		if err != nil {
			return "", functionError("the value is not JSON")
		}
		e.out.addText(text)
	case isAccepted(v, e.out):
		e.out.addText(text)
	default:
		e.out.addValue(text)
	}
	return "", e.checkOutput()
}

// isAccepted reports whether v is escaped for the output. JSON within a JSON string is a
// text like any other.
func isAccepted(v any, o *output) bool {
	e, ok := v.(escaped)
	return ok && o.place.accepts(e.form) && !(e.form == jsonForm && o.state.inString)
}

// jsonValue returns v as a JSON value. What printf builds is a number or a boolean where
// it looks like one.
func jsonValue(v any) (string, error) {
	switch v := v.(type) {
	case escaped:
		if v.form == jsonForm || v.form == rawForm {
			return v.text, nil
		}
	case formatted:
		if json.Valid([]byte(v)) && !strings.ContainsAny(string(v), `{["`) {
			return string(v), nil
		}
	}
	return jsonText(v)
}

// checkOutput fails at the limit of the output.
func (e *execution) checkOutput() error {
	if e.out.size > MaxOutput {
		return e.stop("more than %d KiB of output", MaxOutput>>10)
	}
	return nil
}

func (e *execution) insertedFunctions() template.FuncMap {
	return template.FuncMap{stepFunction: e.step, enterFunction: e.enter, leaveFunction: e.leave, writeFunction: e.write, fieldFunction: field, rangeFunction: elements}
}

// writer takes the text of the template itself.
type writer struct{ execution *execution }

// Write implements io.Writer. It fails at the limits of output and time.
func (w *writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // as of an inserted call
	}
	if err := w.execution.checkTime(); err != nil {
		return 0, err
	}
	w.execution.out.addText(string(p))
	return len(p), w.execution.checkOutput()
}

var _ io.Writer = (*writer)(nil)
