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

package trigger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// compiledActions are the actions of a trigger.
type compiledActions struct {
	steps []engine.Step
	// list are the actions.
	list []Action
	// old are the fields below `context.old` that they name.
	old expr.FieldSet
	// data are the fields below `context.data` that they depend on.
	data expr.FieldSet
	// resolved are the actions, by their paths.
	resolved map[string]resolvedAction
	// byCUE is what of them CUE evaluates for each event.
	byCUE diag.List
}

// compileActions compiles the action or actions of a trigger.
func (c Compiler) compileActions(o action.Options, spec v1alpha1.Trigger) (compiledActions, diag.List) {
	var list diag.List
	if len(spec.Actions) > 0 {
		if spec.Action.Type != "" || spec.Action.Properties != nil || spec.Action.Cue != "" {
			list.Add("actions", "exactly one of action and actions must be set")
			return compiledActions{}, list
		}
		return c.compileSequence(o, spec)
	}
	r, list := c.resolve(spec.Action.Type, spec.Action.Properties, spec.Action.Cue)
	limit, problems := waitLimit(spec.Action.Type, spec.Action.Timeout)
	if list = append(list, problems...); len(list) > 0 {
		return compiledActions{}, list.WithPrefix("action")
	}
	list = r.checkResults(func(string, []string) string { return "there are no earlier actions" })
	o.WaitLimit = cmp.Or(limit, engine.DefaultWaitLimit)
	a, problems := c.compile(r, o)
	if list = append(list, problems...); len(list) > 0 {
		return compiledActions{}, list.WithPrefix("action")
	}
	return compiledActions{
		steps: []engine.Step{{Start: a.Start, WaitLimit: limit}}, list: []Action{{"action", a}}, old: oldDependencies(a.ContextFields()), data: a.DataFields(), resolved: map[string]resolvedAction{"action": r},
		byCUE: a.ByCUE().WithPrefix("action"),
	}, nil
}

// compileSequence compiles the actions of a trigger.
func (c Compiler) compileSequence(o action.Options, spec v1alpha1.Trigger) (compiledActions, diag.List) {
	var (
		list  diag.List
		out   = compiledActions{resolved: map[string]resolvedAction{}}
		names = resultNames{steps: spec.Actions, templates: make([]*action.Template, len(spec.Actions))}
	)
	if len(spec.Actions) > v1alpha1.MaxActions {
		list.Add("actions", "%d actions, maximum is %d", len(spec.Actions), v1alpha1.MaxActions)
		return out, list
	}
	for i, s := range spec.Actions {
		path := fmt.Sprintf("actions[%d]", i)
		r, problems := c.resolve(s.Type, s.Properties, s.Cue)
		if first := slices.IndexFunc(spec.Actions, func(o v1alpha1.ActionStep) bool { return o.Name == s.Name }); s.Name != "" && first < i {
			problems.Add("name", "%q is already used by actions[%d]", s.Name, first)
		}
		limit, unlimited := waitLimit(s.Type, s.Timeout)
		problems = append(problems, unlimited...)
		if s.OnFailure != "" && s.OnFailure != v1alpha1.OnFailureStop && s.OnFailure != v1alpha1.OnFailureContinue {
			problems.Add("onFailure", "must be %q or %q, not %q", v1alpha1.OnFailureStop, v1alpha1.OnFailureContinue, s.OnFailure)
		}
		if r.template != nil {
			names.templates[i] = r.template
			problems = append(problems, r.checkResults(func(name string, fields []string) string { return names.check(i, name, fields) })...)
			o.WaitLimit = cmp.Or(limit, engine.DefaultWaitLimit)
			o.StepName, o.EvaluateResult = s.Name, s.Name != "" && i < len(spec.Actions)-1
			a, broken := c.compile(r, o)
			if problems = append(problems, broken...); a != nil {
				out.old, out.data = out.old.Union(oldDependencies(a.ContextFields())), out.data.Union(a.DataFields())
				out.list = append(out.list, Action{path, a})
				out.steps = append(out.steps, engine.Step{
					Name: s.Name, Title: stepTitle(i, s), Start: a.Start, Optional: s.OnFailure == v1alpha1.OnFailureContinue, WaitLimit: limit,
				})
				out.resolved[path] = r
				out.byCUE = append(out.byCUE, a.ByCUE().WithPrefix(path)...)
			}
		}
		list = append(list, problems.WithPrefix(path)...)
	}
	if len(list) > 0 {
		return compiledActions{}, list
	}
	return out, nil
}

// waitLimit returns how long an action may wait for its condition; 0 for the default. Only
// workflow steps wait.
func waitLimit(actionType string, timeout *metav1.Duration) (time.Duration, diag.List) {
	var list diag.List
	if timeout == nil {
		return 0, list
	}
	if _, isStep := workflowstep.Parse(actionType); !isStep {
		list.Add("timeout", "is for workflow steps (step/NAME), which wait for a condition; the timeout of the trigger limits its actions")
	}
	if timeout.Duration <= 0 {
		list.Add("timeout", "must be longer than 0s, not %s", timeout.Duration)
	}
	return timeout.Duration, list
}

// stepTitle returns the name of an action in errors and decisions.
func stepTitle(i int, s v1alpha1.ActionStep) string {
	if s.Name != "" {
		return s.Name
	}
	return fmt.Sprintf("actions[%d]", i)
}

// resultNames checks references to the results of actions.
type resultNames struct {
	steps []v1alpha1.ActionStep
	// templates are those of the actions. They are nil for later and for invalid actions.
	templates []*action.Template
}

// check returns the problem of a reference of the ith action to fields of the result name,
// or "".
func (n resultNames) check(i int, name string, fields []string) string {
	position := slices.IndexFunc(n.steps, func(s v1alpha1.ActionStep) bool { return s.Name == name })
	var earlier []string
	for _, s := range n.steps[:i] {
		if s.Name != "" {
			earlier = append(earlier, s.Name)
		}
	}
	switch {
	case position == i:
		return "refers to its own result"
	case position > i:
		return fmt.Sprintf("refers to the result of actions[%d], which runs later", position)
	case position >= 0 && n.templates[position] == nil:
		return "" // the action has problems of its own
	case position >= 0 && !n.templates[position].HasResult():
		return fmt.Sprintf("actions[%d], %q, has no result", position, n.steps[position].Type)
	case position >= 0:
		return n.templates[position].MissingInResult(fields)
	case len(earlier) == 0:
		return "no earlier action has a name"
	}
	return fmt.Sprintf("no earlier action has this name%s; earlier actions: %s", diag.Suggest(name, earlier), strings.Join(earlier, ", "))
}

// resolvedAction is the template and the properties of an action. Without a template it
// is invalid.
type resolvedAction struct {
	template   *action.Template
	properties map[string]any
	// computed completes the properties; nil for none.
	computed *expr.Computed
}

// resolve returns the action of a type. cue is the CUE of computed properties; empty for
// none.
func (c Compiler) resolve(name string, raw *runtime.RawExtension, cue string) (resolvedAction, diag.List) {
	var (
		r    resolvedAction
		list diag.List
	)
	parsed, ok := c.Actions[name]
	if !ok {
		list.Add("type", "%s", c.unknownAction(name))
		return r, list
	}
	template, broken := parsed()
	if len(broken) > 0 {
		for _, p := range broken {
			p.Path, p.Message = "type", fmt.Sprintf("action %q is invalid: %s", name, diag.Diagnostic{Line: p.Line, Column: p.Column, Message: p.Message})
			p.Line, p.Column = 0, 0
			list = append(list, p)
		}
		return r, list
	}
	var err error
	if r.properties, err = decodeObject(raw); err != nil {
		list.Add("properties", "%v", err)
		return r, list
	}
	if strings.TrimSpace(cue) != "" {
		if r.computed, broken = action.ParseComputed(cue); len(broken) > 0 {
			return r, broken.WithPrefix("cue")
		}
	}
	r.template = template
	return r, nil
}

// unknownAction returns the problem of a type of action that does not exist.
func (c Compiler) unknownAction(name string) string {
	step, isStep := workflowstep.Parse(name)
	if !isStep {
		return unknownType("action", name, slices.Sorted(maps.Keys(c.Actions)))
	}
	known := slices.Clone(c.Steps)
	for other := range c.Actions {
		if o, ok := workflowstep.Parse(other); ok && o.Version == "" {
			known = append(known, o.Name)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	problem := fmt.Sprintf("unknown step %q: there is no %s %q%s", name, step.Kind().Kind, step.ObjectName(), diag.Suggest(step.Name, known))
	if len(known) > 0 {
		problem += "; steps: " + strings.Join(known[:min(len(known), maxSteps)], ", ")
	}
	return problem
}

// maxSteps limits the steps that the problem of an unknown one lists.
const maxSteps = 50

// checkResults returns the problems of the action's references to results.
func (r resolvedAction) checkResults(check func(name string, fields []string) string) diag.List {
	var list diag.List
	for _, p := range r.template.UnknownResults(r.properties, check) {
		if p.Path == "" {
			list.Add("type", "action %q: %s", r.template.Name(), p)
		} else {
			list = append(list, diag.List{p}.WithPrefix("properties")...)
		}
	}
	if r.computed != nil {
		list = append(list, action.UnknownComputedResults(r.computed, check).WithPrefix("cue")...)
	}
	return list
}

// compile compiles r. The paths in the problems are relative to the action.
func (c Compiler) compile(r resolvedAction, o action.Options) (*action.Action, diag.List) {
	o.Properties, o.Computed = r.properties, r.computed
	if r.computed != nil && !o.Accepted {
		problems, inComputed := r.template.CheckComputed(r.properties, r.computed)
		if list := append(problems.WithPrefix("properties"), inComputed.WithPrefix("cue")...); len(list) > 0 {
			return nil, list
		}
	}
	compile := c.CompileAction
	if compile == nil {
		compile = (*action.Template).Compile
	}
	a, list := compile(r.template, o)
	return a, list.WithPrefix("properties")
}

// check returns what is probably not meant of events of a form.
func (r resolvedAction) check(form event.Form) expr.Findings {
	list := r.template.CheckProperties(r.properties, form).WithPrefix("properties")
	for _, f := range r.template.CheckData(form) {
		f.Diagnostic = diag.Diagnostic{Path: "type", Message: fmt.Sprintf("action %q: %s", r.template.Name(), f.Diagnostic)}
		list = append(list, f)
	}
	if r.computed != nil {
		list = append(list, r.computed.Check(form).WithPrefix("cue")...)
	}
	return list
}
