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
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
)

// resolution is one evaluation of a template: it finds the calls, executes those
// whose parameters are known, fills in what they return, and looks again, until
// no call is left.
type resolution struct {
	runner   *runner
	journal  *Journal
	root     cue.Value
	executed map[string]bool
	// blocked is why the first call that cannot be executed yet cannot.
	blocked error
}

// maxCalls bounds the calls of one evaluation, against a template whose calls
// make ever more calls.
const maxCalls = 1000

func (r *resolution) resolve(ctx context.Context) error {
	for range maxCalls {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		r.blocked = nil
		call, err := r.next(r.root, true)
		if err != nil {
			return Terminal(err)
		}
		if call == nil {
			return r.finished()
		}
		result, err := r.execute(ctx, *call)
		if err != nil {
			return &CallError{Call: call.Path, Function: call.Provider + "." + call.Do, err: err}
		}
		r.executed[call.Path] = true
		r.root = fill(r.root, call.Value.Path(), r.picked(call, result))
	}
	return Terminal(fmt.Errorf("template %q makes more than %d calls", r.runner.template.name, maxCalls))
}

// finished returns nil if nothing is left undecided.
func (r *resolution) finished() error {
	if r.blocked != nil {
		return Terminal(r.blocked)
	}
	if err := r.root.Err(); err != nil {
		return Terminal(r.runner.template.explain(err))
	}
	return nil
}

// execute answers a call from the journal, or executes it.
func (r *resolution) execute(ctx context.Context, call provider.Call) (provider.Result, error) {
	key := call.Path + " " + identity(call)
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
	if !provider.IsRead(call) {
		r.journal.put(key, result)
	}
	return result, nil
}

// picked returns the fields of a result that the template depends on.
func (r *resolution) picked(call *provider.Call, result provider.Result) map[string]any {
	returns, ok := result["$returns"].(map[string]any)
	if !ok || call.Provider == "op" {
		return result
	}
	return map[string]any{"$returns": r.runner.template.returns.Pick(returns)}
}

// next returns the first call below v, in the order of the template, that has
// not been executed and whose parameters are known.
func (r *resolution) next(v cue.Value, top bool) (*provider.Call, error) {
	for _, field := range fields(v, top) {
		if do, err := field.LookupPath(cue.MakePath(cue.Def("#do"))).String(); err == nil {
			call, err := r.call(field, do)
			if call != nil || err != nil {
				return call, err
			}
			continue
		}
		if call, err := r.next(field, false); call != nil || err != nil {
			return call, err
		}
	}
	return nil, nil
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
	params := v
	if name != "op" {
		params = v.LookupPath(cue.MakePath(cue.Str("$params")))
	}
	call := &provider.Call{Provider: name, Do: do, Path: path, Value: v, HandlesErr: r.runner.template.handlesErr[last(v)]}
	if !params.Exists() {
		return call, nil
	}
	data, err := params.MarshalJSON()
	if err != nil {
		err = r.runner.template.explain(err)
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

// fields returns the members of v that may be calls or hold some. At the top
// those that are given to the template are left out. Fields with an attribute
// `@step(N)` come first, in the order of N, as in workflow definitions.
func fields(v cue.Value, top bool) []cue.Value {
	var out []cue.Value
	switch v.IncompleteKind() {
	case cue.ListKind:
		it, err := v.List()
		for err == nil && it.Next() {
			out = append(out, it.Value())
		}
	case cue.StructKind:
		it, err := v.Fields(cue.Hidden(true))
		for err == nil && it.Next() {
			name := it.Selector().String()
			if strings.HasPrefix(strings.TrimPrefix(name, "_"), "#") || top && (name == "context" || name == "parameter") {
				continue
			}
			out = append(out, it.Value())
		}
	}
	out = slices.DeleteFunc(out, func(v cue.Value) bool {
		return v.IncompleteKind()&(cue.StructKind|cue.ListKind) == 0
	})
	slices.SortStableFunc(out, func(a, b cue.Value) int { return step(a) - step(b) })
	return out
}

// step returns the number in a field's `@step(N)`; a very large one without it.
func step(v cue.Value) int {
	a := v.Attribute("step")
	if n, err := strconv.Atoi(a.Contents()); a.Err() == nil && err == nil {
		return n
	}
	return 1 << 30
}

func last(v cue.Value) string {
	selectors := v.Path().Selectors()
	if len(selectors) == 0 {
		return ""
	}
	return selectors[len(selectors)-1].String()
}

// identity names the object that a call is about, where it is about one, so that
// a call which moved to another object is another call.
func identity(c provider.Call) string {
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
