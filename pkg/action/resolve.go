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

package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"cuelang.org/go/cue"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// resolution is one evaluation of a template. Stage by stage, it executes the calls
// whose parameters are concrete.
type resolution struct {
	runner  *Action
	journal *journal
	context map[string]any
	// public returns context for messages: without values of Secrets in the event.
	public func() map[string]any
	// outputs are the outputs of the message templates in the properties, by field, and
	// outputErr is the error of the first one that failed.
	outputs   map[string]any
	outputErr error
	// warnings name what is absent in message templates.
	warnings []string
	// renaming replaces names of fields in the data that CUE gets.
	renaming *expr.Renaming
	// returned holds the results of the calls of earlier stages, by field.
	returned  map[string]any
	callCount int
	// completed is the number of stages whose calls have been made.
	completed int
	// repeating is set while a stage is evaluated repeatedly. Then root has the
	// results of its calls filled in, and executed holds the paths of these calls.
	repeating bool
	root      cue.Value
	executed  map[string]bool
	// blocked is the error of the first call whose parameters are incomplete.
	blocked error
	// failedText is the error of the first Go template of the stage that failed.
	failedText error
	// result is the value of the template's result, if it is evaluated. rendered is set if
	// the last stage was rendered, with the result.
	result   any
	rendered bool
}

// errReevaluate ends the visit of a stage after a call whose result was filled in.
var errReevaluate = errors.New("evaluate again")

func (r *resolution) resolve(ctx context.Context, b *borrowed) error {
	r.returned = map[string]any{}
	r.renderMessages()
	if r.runner.parameter == "" {
		if err := r.completeParameter(b); err != nil {
			return Terminal(err)
		}
	}
	for i, s := range r.runner.template.stages {
		in := r.runner.inputs[i]
		data := map[string]any{"context": r.context, expr.AbsentField: false}
		r.executeTexts(in, data)
		for _, name := range s.Inputs {
			data[name] = r.returned[name]
		}
		maps.Copy(data, r.outputs)
		if p := r.runner.rendered[i]; p != nil {
			done, err := r.runRendered(ctx, p, data)
			if err != nil {
				return err
			}
			if done {
				r.completed++
				continue
			}
		}
		c, err := b.get()
		if err != nil {
			return err
		}
		data["context"] = in.context.Select(r.context)
		root, err := r.fill(c.stages[i], cue.Path{}, data)
		if err != nil {
			return err
		}
		r.rendered = false
		r.root, r.repeating, r.executed = root, s.Repeats(), map[string]bool{}
		if err := r.runStage(ctx, s); err != nil {
			return err
		}
		r.completed++
	}
	return r.readResult()
}

// executeTexts adds the outputs of the Go templates of a stage to data, except those
// that fail: the template may not need them.
func (r *resolution) executeTexts(in inputs, data map[string]any) {
	r.failedText = nil
	for _, t := range in.texts {
		out, err := t.Execute(r.public())
		if err == nil {
			data[t.Field] = out.Text
			r.warn("", out)
		} else if r.failedText == nil {
			r.failedText = fmt.Errorf("template %q: %w", r.runner.template.name, err)
		}
	}
}

// runStage executes all calls of s.
func (r *resolution) runStage(ctx context.Context, s expr.Stage) error {
	for {
		r.blocked = nil
		err := r.visitFields(ctx, s)
		if err == nil {
			return r.checkComplete()
		}
		if !errors.Is(err, errReevaluate) {
			return err
		}
	}
}

func (r *resolution) visitFields(ctx context.Context, s expr.Stage) error {
	if r.repeating {
		if r.root.LookupPath(cue.MakePath(cue.Str("context"), cue.Def("#do"))).Exists() {
			return Terminal(fmt.Errorf("template %q: a call has the name \"context\", which is that of the event: put the calls into a field", r.runner.template.name))
		}
		for _, field := range expr.Members(r.root, true) {
			if r.runner.template.dataFields[fieldName(field)] {
				continue // it may refer to calls, which are not made again
			}
			if _, err := r.visit(ctx, field); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range s.Calls {
		returned, err := r.visit(ctx, r.root.LookupPath(cue.MakePath(cue.Str(name))))
		if err != nil {
			return err
		}
		r.returned[name] = returned
	}
	return nil
}

// explain returns the error of the Go template that failed, if there is one, instead of
// err: that a value is missing.
func (r *resolution) explain(err error) error { return cmp.Or(r.outputErr, r.failedText, err) }

// checkComplete returns a terminal error if a call is blocked or the value is invalid.
func (r *resolution) checkComplete() error {
	if r.blocked != nil {
		return Terminal(r.explain(r.blocked))
	}
	if err := r.root.Err(); err != nil {
		return Terminal(r.evaluationError(err))
	}
	return nil
}

// visit executes the calls in v whose parameters are concrete, in the order of the
// template. It returns their results in the structure of v, without other fields.
func (r *resolution) visit(ctx context.Context, v cue.Value) (any, error) {
	v, _ = v.Default()
	switch v.IncompleteKind() {
	case cue.ListKind:
		returned := []any{}
		for _, item := range expr.Members(v, false) {
			result, err := r.visit(ctx, item)
			if err != nil {
				return nil, err
			}
			returned = append(returned, result)
		}
		return returned, nil
	case cue.StructKind:
	default:
		return nil, nil
	}
	if do, err := v.LookupPath(cue.MakePath(cue.Def("#do"))).String(); err == nil {
		return r.makeCall(ctx, v, do)
	}
	returned := map[string]any{}
	for _, field := range expr.Members(v, false) {
		result, err := r.visit(ctx, field)
		if err != nil {
			return nil, err
		}
		returned[fieldName(field)] = result
	}
	return returned, nil
}

// evaluationError is Template.evaluationError with the names of the event's fields.
func (r *resolution) evaluationError(err error) error {
	err = r.runner.template.evaluationError(err)
	if text := err.Error(); r.renaming.Contains(text) {
		return errors.New(r.renaming.Text(text))
	}
	return err
}
