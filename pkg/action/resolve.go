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

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
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
	// result is the value of the template's result, if it is evaluated.
	result any
}

// maxCalls limits the calls of one evaluation, for templates whose results lead to
// new calls endlessly.
const maxCalls = 1000

// errReevaluate ends the visit of a stage after a call whose result was filled in.
var errReevaluate = errors.New("evaluate again")

func (r *resolution) resolve(ctx context.Context, c compiled) error {
	r.returned = map[string]any{}
	r.renderMessages()
	if r.runner.parameter == "" {
		if err := r.completeParameter(c); err != nil {
			return Terminal(err)
		}
	}
	for i, s := range r.runner.template.stages {
		in := r.runner.inputs[i]
		data := map[string]any{"context": in.context.Select(r.context), expr.AbsentField: false}
		r.executeTexts(in, data)
		for _, name := range s.Inputs {
			data[name] = r.returned[name]
		}
		maps.Copy(data, r.outputs)
		root, err := r.fill(c.stages[i], cue.Path{}, data)
		if err != nil {
			return err
		}
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

// execute returns the recorded result of call from the journal, or executes it.
func (r *resolution) execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	key := call.Path + " " + objectKey(call)
	if result, ok := r.journal.get(key); ok {
		return result, nil
	}
	tracked := evaluationOf(ctx)
	tracked.pause()
	result, err := r.runner.options.Executor.Execute(ctx, call)
	tracked.resume()
	if err != nil {
		return nil, err
	}
	if _, secrets := redact.Begin(ctx); provider.ReturnsSecret(call) {
		secrets.AddStrings(map[string]any(result))
	} else {
		secrets.AddSecrets(map[string]any(result))
	}
	if text := returnedErr(result); text != "" && !call.HandlesErr {
		return nil, fmt.Errorf("%s", text)
	}
	if provider.HasEffect(call) {
		r.journal.effects++
	}
	if !provider.IsRead(call) && !provider.HasFailed(result) {
		r.journal.put(key, result)
	}
	return result, nil
}

// selectReturns returns the fields of result that the template depends on.
func (r *resolution) selectReturns(call *provider.Call, result provider.Result) map[string]any {
	returns, ok := result["$returns"].(map[string]any)
	if !ok || call.Legacy {
		return result
	}
	return map[string]any{"$returns": r.runner.template.returns.Select(returns)}
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

// fieldName returns the name of the field v.
func fieldName(v cue.Value) string {
	selectors := v.Path().Selectors()
	return nameOf(selectors[len(selectors)-1])
}

func nameOf(s cue.Selector) string {
	if s.LabelType() == cue.StringLabel {
		return s.Unquoted()
	}
	return s.String()
}

// names returns the path of v as the names of fields and the indices in lists.
func (r *resolution) names(v cue.Value) []string {
	var names []string
	for _, s := range v.Path().Selectors() {
		names = append(names, r.renaming.Text(nameOf(s)))
	}
	return names
}

// makeCall executes the call v, unless it is blocked or has been executed.
func (r *resolution) makeCall(ctx context.Context, v cue.Value, do string) (map[string]any, error) {
	call, err := r.call(v, do)
	if err != nil {
		return nil, Terminal(err)
	}
	if call == nil {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if r.callCount++; r.callCount > maxCalls {
		return nil, Terminal(fmt.Errorf("template %q makes more than %d calls", r.runner.template.name, maxCalls))
	}
	result, err := r.execute(ctx, *call)
	if err != nil {
		return nil, &CallError{Call: call.Path, Function: call.Provider + "." + call.Do, err: err}
	}
	returned := r.selectReturns(call, result)
	if r.repeating {
		r.executed[call.Path] = true
		if r.root, err = r.fill(r.root, v.Path(), returned); err != nil {
			return nil, err
		}
		return nil, errReevaluate
	}
	return returned, nil
}

// call decodes the call v. It returns nil if the call has been executed, or its
// parameters depend on another call. It returns expr.ErrRenaming if names in them were
// replaced and the call depends on more than they.
func (r *resolution) call(v cue.Value, do string) (*provider.Call, error) {
	path := r.renaming.Text(v.Path().String())
	if r.executed[path] {
		return nil, nil
	}
	name, err := v.LookupPath(cue.MakePath(cue.Def("#provider"))).String()
	if err != nil {
		return nil, fmt.Errorf("%s: call of %q without #provider", path, do)
	}
	params := v.LookupPath(cue.MakePath(cue.Str("$params")))
	legacy := name == "op" || name == "query" && !params.Exists()
	if legacy {
		params = v
	}
	call := &provider.Call{
		Provider: name, Do: do, Path: path, Value: v, Legacy: legacy,
		HandlesErr: r.runner.template.handlesErr.Contains(r.names(v)), Scope: r.journal.scope,
	}
	if !params.Exists() {
		return call, nil
	}
	data, err := params.MarshalJSON()
	if err != nil {
		err = r.evaluationError(err)
		if incomplete(params) {
			if r.blocked == nil {
				r.blocked = err
			}
			return nil, nil
		}
		return nil, err
	}
	if call.Params, err = number.UnmarshalObject(data); err != nil {
		return nil, fmt.Errorf("%s: parameters must be an object", path)
	}
	if r.renaming.Contains(string(data)) {
		if provider.HasComments(*call) {
			return nil, expr.ErrRenaming
		}
		call.Params, _ = r.renaming.Restore(call.Params).(map[string]any)
		call.Value = cue.Value{}
	}
	return call, nil
}

// fill returns v with data filled in at path. It returns expr.ErrRenaming where the names of
// fields cannot be replaced.
func (r *resolution) fill(v cue.Value, path cue.Path, data map[string]any) (cue.Value, error) {
	data, err := r.renaming.Rename(data)
	if err != nil {
		return v, err
	}
	d := expr.Encode(v.Context(), data, r.runner.template.embedded)
	if len(path.Selectors()) == 0 {
		return v.Unify(d), nil
	}
	return v.FillPath(path, d), nil
}

// evaluationError is Template.evaluationError with the names of the event's fields.
func (r *resolution) evaluationError(err error) error {
	err = r.runner.template.evaluationError(err)
	if text := err.Error(); r.renaming.Contains(text) {
		return errors.New(r.renaming.Text(text))
	}
	return err
}

// objectKey identifies the function and, if there is one, the object of a call, so that
// a call for another object at the same path counts as another call.
func objectKey(c provider.Call) string {
	for _, key := range []string{"resource", "value"} {
		if m, ok := c.Params[key].(map[string]any); ok {
			meta, _ := m["metadata"].(map[string]any)
			return fmt.Sprint(c.Do, m["apiVersion"], m["kind"], meta["namespace"], meta["name"])
		}
	}
	return c.Do
}

// returnedErr returns the `$returns.err` of a call that the provider reports as
// successful; "" if there is none.
func returnedErr(result provider.Result) string {
	returns, ok := result["$returns"].(map[string]any)
	if !ok {
		returns = result
	}
	text, _ := returns["err"].(string)
	return text
}
