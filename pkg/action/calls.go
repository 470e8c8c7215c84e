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
	"fmt"
	"maps"

	"cuelang.org/go/cue"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/redact"
)

// maxCalls limits the calls of one evaluation, for templates whose results lead to
// new calls endlessly.
const maxCalls = 1000

// execute returns the recorded result of call from the journal, or executes it.
func (r *resolution) execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	key := call.Path + " " + objectKey(call)
	if result, ok := r.journal.get(key); ok && (!r.journal.stale() || !provider.IsRepeatable(call)) {
		return r.again(ctx, call, key, result)
	}
	var streak provider.Streak
	if provider.HasStreak(call) {
		call.Streak = r.journal.streak(key)
		streak = *call.Streak
	}
	tracked := evaluationOf(ctx)
	tracked.pause()
	result, err := r.runner.options.Executor.Execute(ctx, call)
	tracked.resume()
	r.journal.unsaved = r.journal.unsaved || call.Streak != nil && *call.Streak != streak
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
		if r.journal.save != nil && provider.HasEffect(call) && !provider.IsRepeatable(call) {
			r.journal.keep(key, provider.ReturnsSecret(call))
			if err := r.journal.save(ctx); err != nil {
				return nil, err
			}
		}
	}
	return result, nil
}

// again returns the result of a call that an earlier run has made. If the step waits, it has
// what the object that the call wrote is now.
func (r *resolution) again(ctx context.Context, call provider.Call, key string, result provider.Result) (provider.Result, error) {
	if !r.journal.stale() {
		return result, nil
	}
	tracked := evaluationOf(ctx)
	tracked.pause()
	defer tracked.resume()
	result, err := provider.Refresh(ctx, r.runner.options.Executor, call, result)
	if err != nil {
		return nil, err
	}
	_, secrets := redact.Begin(ctx)
	secrets.AddSecrets(map[string]any(result))
	r.journal.put(key, result)
	return result, nil
}

// selectReturns returns the fields of result that the template depends on.
func (r *resolution) selectReturns(call *provider.Call, result provider.Result) map[string]any {
	if call.Legacy {
		return agreeing(result, call.Params)
	}
	returns, ok := result["$returns"].(map[string]any)
	if !ok {
		return result
	}
	return map[string]any{"$returns": r.runner.template.returns.Select(returns)}
}

// agreeing returns the result of a call, whose fields are unified with params, with what differs
// from params as it is there: the API server adds to lists, such as the volumes of a pod.
func agreeing(result, params map[string]any) map[string]any {
	out := maps.Clone(result)
	for name, given := range params {
		if v, ok := out[name]; ok {
			out[name] = agreeingValue(v, given)
		}
	}
	return out
}

func agreeingValue(v, given any) any {
	switch given := given.(type) {
	case map[string]any:
		if fields, ok := v.(map[string]any); ok {
			return agreeing(fields, given)
		}
	case []any:
		list, ok := v.([]any)
		if !ok || len(list) != len(given) {
			return given
		}
		out := make([]any, len(list))
		for i := range list {
			out[i] = agreeingValue(list[i], given[i])
		}
		return out
	}
	return given
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
	result, err := r.perform(ctx, *call)
	if err != nil {
		return nil, err
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

// perform executes a call, or returns its recorded result.
func (r *resolution) perform(ctx context.Context, call provider.Call) (provider.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if r.callCount++; r.callCount > maxCalls {
		return nil, Terminal(fmt.Errorf("template %q makes more than %d calls", r.runner.template.name, maxCalls))
	}
	result, err := r.execute(ctx, call)
	if err != nil {
		return nil, &CallError{Call: call.Path, Function: call.Provider + "." + call.Do, err: err}
	}
	return result, nil
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
		err = r.evaluationError(allErrors(params, err))
		if incomplete(params) {
			if r.runner.template.step != nil && provider.IsWait(*call) && r.blocked == nil {
				return call, nil // as in a workflow, it waits for what is absent
			}
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
