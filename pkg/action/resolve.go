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
	"context"
	"errors"
	"fmt"

	"cuelang.org/go/cue"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
)

// resolution is one evaluation of a template: stage by stage, it finds the calls
// and executes those whose parameters are known.
type resolution struct {
	runner  *runner
	journal *Journal
	context map[string]any
	// returned is what the calls of the fields of earlier stages have returned.
	returned  map[string]any
	callCount int
	// repeating is set where a stage repeats: root is then what its calls have
	// returned so far, filled in, and executed holds their paths.
	repeating bool
	root      cue.Value
	executed  map[string]bool
	// blocked is why the first call that cannot be executed yet cannot.
	blocked error
	// result is what the action gives, where it does.
	result any
}

// maxCalls bounds the calls of one evaluation, against a template whose calls
// make ever more calls.
const maxCalls = 1000

// errReevaluate ends the visit of a stage that has to be evaluated again.
var errReevaluate = errors.New("evaluate again")

func (r *resolution) resolve(ctx context.Context, bases []cue.Value) error {
	r.returned = map[string]any{}
	for i, s := range r.runner.template.stages {
		given := map[string]any{"context": r.context}
		for _, name := range s.Inputs {
			given[name] = r.returned[name]
		}
		r.root, r.repeating, r.executed = r.runner.fill(bases[i], cue.Path{}, given), s.Repeats(), map[string]bool{}
		if err := r.runStage(ctx, s); err != nil {
			return err
		}
	}
	return r.readResult()
}

// runStage executes the calls of s, until none is left.
func (r *resolution) runStage(ctx context.Context, s Stage) error {
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

func (r *resolution) visitFields(ctx context.Context, s Stage) error {
	if r.repeating {
		for _, field := range Members(r.root, true) {
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

// checkComplete returns nil if nothing is left undecided.
func (r *resolution) checkComplete() error {
	if r.blocked != nil {
		return Terminal(r.blocked)
	}
	if err := r.root.Err(); err != nil {
		return Terminal(r.runner.template.evaluationError(err))
	}
	return nil
}

// execute answers a call from the journal, or executes it.
func (r *resolution) execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	key := call.Path + " " + objectKey(call)
	if result, ok := r.journal.get(key); ok {
		return result, nil
	}
	result, err := r.runner.options.Executor.Execute(ctx, call)
	if err != nil {
		return nil, err
	}
	if text := returnedErr(result); text != "" && !call.HandlesErr {
		return nil, fmt.Errorf("%s", text)
	}
	if !provider.IsRead(call) && !provider.HasFailed(result) {
		r.journal.put(key, result)
	}
	return result, nil
}

// selectReturns returns the fields of a result that the template depends on.
func (r *resolution) selectReturns(call *provider.Call, result provider.Result) map[string]any {
	returns, ok := result["$returns"].(map[string]any)
	if !ok || call.Provider == "op" {
		return result
	}
	return map[string]any{"$returns": r.runner.template.returns.Select(returns)}
}

// visit executes the calls in v whose parameters are known, in the order of the
// template. It returns v with what they return, and nothing else.
func (r *resolution) visit(ctx context.Context, v cue.Value) (any, error) {
	switch v.IncompleteKind() {
	case cue.ListKind:
		returned := []any{}
		for _, item := range Members(v, false) {
			one, err := r.visit(ctx, item)
			if err != nil {
				return nil, err
			}
			returned = append(returned, one)
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
	for _, field := range Members(v, false) {
		one, err := r.visit(ctx, field)
		if err != nil {
			return nil, err
		}
		returned[LastSelector(field)] = one
	}
	return returned, nil
}

// makeCall makes the call that v is, if it can and has not yet been made.
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
		r.root = r.runner.fill(r.root, v.Path(), returned)
		return nil, errReevaluate
	}
	return returned, nil
}

// call returns the call that v is, or nil where it has been executed or has to
// wait for another.
func (r *resolution) call(v cue.Value, do string) (*provider.Call, error) {
	path := v.Path().String()
	if r.executed[path] {
		return nil, nil
	}
	name, err := v.LookupPath(cue.MakePath(cue.Def("#provider"))).String()
	if err != nil {
		return nil, fmt.Errorf("%s: a call of %q without #provider", path, do)
	}
	params := v.LookupPath(cue.MakePath(cue.Str("$params")))
	if name == "op" || name == "query" && !params.Exists() {
		params = v
	}
	call := &provider.Call{Provider: name, Do: do, Path: path, Value: v, HandlesErr: r.runner.template.handlesErr[LastSelector(v)]}
	if !params.Exists() {
		return call, nil
	}
	data, err := params.MarshalJSON()
	if err != nil {
		err = r.runner.template.evaluationError(err)
		if incomplete(params) {
			if r.blocked == nil {
				r.blocked = err
			}
			return nil, nil
		}
		return nil, err
	}
	if err := json.Unmarshal(data, &call.Params); err != nil {
		return nil, fmt.Errorf("%s: parameters must be an object", path)
	}
	return call, nil
}

// objectKey names the object that a call is about, where it is about one, so that
// a call which moved to another object is another call.
func objectKey(c provider.Call) string {
	for _, key := range []string{"resource", "value"} {
		if m, ok := c.Params[key].(map[string]any); ok {
			meta, _ := m["metadata"].(map[string]any)
			return fmt.Sprint(c.Do, m["apiVersion"], m["kind"], meta["namespace"], meta["name"])
		}
	}
	return c.Do
}

// returnedErr returns the error that a provider reports while claiming success.
func returnedErr(result provider.Result) string {
	returns, ok := result["$returns"].(map[string]any)
	if !ok {
		returns = result
	}
	text, _ := returns["err"].(string)
	return text
}
