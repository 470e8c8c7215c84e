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
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// compileActions compiles the action or actions of a trigger, and returns the fields
// below `context.old` that they name.
func (c Compiler) compileActions(o action.Options, spec v1alpha1.Trigger) ([]engine.Step, expr.FieldSet, diag.List) {
	var list diag.List
	if len(spec.Actions) > 0 {
		if spec.Action.Type != "" || spec.Action.Properties != nil {
			list.Add("actions", "exactly one of action and actions must be set")
			return nil, expr.FieldSet{}, list
		}
		return c.compileSequence(o, spec)
	}
	template, properties, list := c.resolve(spec.Action.Type, spec.Action.Properties)
	if len(list) > 0 {
		return nil, expr.FieldSet{}, list.WithPrefix("action")
	}
	list = checkResults(template, properties, func(string) string { return "there are no earlier actions" })
	o.Properties = properties
	a, problems := c.compileTemplate(template, o)
	if list = append(list, problems...); len(list) > 0 {
		return nil, expr.FieldSet{}, list.WithPrefix("action")
	}
	return []engine.Step{{Start: a.Start}}, oldDependencies(a.ContextFields()), nil
}

// compileSequence compiles the actions of a trigger.
func (c Compiler) compileSequence(o action.Options, spec v1alpha1.Trigger) ([]engine.Step, expr.FieldSet, diag.List) {
	var (
		list  diag.List
		old   expr.FieldSet
		steps []engine.Step
		names = resultNames{steps: spec.Actions, hasResult: make([]bool, len(spec.Actions))}
	)
	if len(spec.Actions) > v1alpha1.MaxActions {
		list.Add("actions", "%d actions, maximum is %d", len(spec.Actions), v1alpha1.MaxActions)
		return nil, old, list
	}
	for i, s := range spec.Actions {
		var problems diag.List
		template, properties, problems := c.resolve(s.Type, s.Properties)
		if first := slices.IndexFunc(spec.Actions, func(o v1alpha1.ActionStep) bool { return o.Name == s.Name }); s.Name != "" && first < i {
			problems.Add("name", "%q is already used by actions[%d]", s.Name, first)
		}
		if s.OnFailure != "" && s.OnFailure != v1alpha1.OnFailureStop && s.OnFailure != v1alpha1.OnFailureContinue {
			problems.Add("onFailure", "must be %q or %q, not %q", v1alpha1.OnFailureStop, v1alpha1.OnFailureContinue, s.OnFailure)
		}
		if template != nil {
			names.hasResult[i] = template.HasResult()
			problems = append(problems, checkResults(template, properties, func(name string) string { return names.check(i, name) })...)
			o.Properties, o.EvaluateResult = properties, s.Name != "" && i < len(spec.Actions)-1
			a, broken := c.compileTemplate(template, o)
			if problems = append(problems, broken...); a != nil {
				old = old.Union(oldDependencies(a.ContextFields()))
				steps = append(steps, engine.Step{
					Name: s.Name, Title: stepTitle(i, s), Start: a.Start, Optional: s.OnFailure == v1alpha1.OnFailureContinue,
				})
			}
		}
		list = append(list, problems.WithPrefix(fmt.Sprintf("actions[%d]", i))...)
	}
	if len(list) > 0 {
		return nil, old, list
	}
	return steps, old, nil
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
	// hasResult is true for each action that may have a result.
	hasResult []bool
}

// check returns the problem of a reference of the ith action to the result name, or
// "".
func (n resultNames) check(i int, name string) string {
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
	case position >= 0 && !n.hasResult[position]:
		return fmt.Sprintf("actions[%d], %q, has no result", position, n.steps[position].Type)
	case position >= 0:
		return ""
	case len(earlier) == 0:
		return "no earlier action has a name"
	}
	return fmt.Sprintf("no earlier action has this name%s; earlier actions: %s", diag.Suggest(name, earlier), strings.Join(earlier, ", "))
}

// checkResults returns the problems of an action's references to results.
func checkResults(template *action.Template, properties map[string]any, check func(name string) string) diag.List {
	var list diag.List
	for _, p := range template.UnknownResults(properties, check) {
		if p.Path == "" {
			list.Add("type", "action %q: %s", template.Name(), p)
		} else {
			list = append(list, diag.List{p}.WithPrefix("properties")...)
		}
	}
	return list
}

// resolve returns the template and the properties of an action.
func (c Compiler) resolve(name string, raw *runtime.RawExtension) (*action.Template, map[string]any, diag.List) {
	var list diag.List
	parsed, ok := c.Actions[name]
	if !ok {
		list.Add("type", "%s", unknownType("action", name, slices.Sorted(maps.Keys(c.Actions))))
		return nil, nil, list
	}
	template, broken := parsed()
	if len(broken) > 0 {
		list.Add("type", "%v", broken)
		return nil, nil, list
	}
	properties, err := decodeObject(raw)
	if err != nil {
		list.Add("properties", "%v", err)
		return nil, nil, list
	}
	return template, properties, nil
}

func (c Compiler) compileTemplate(t *action.Template, o action.Options) (*action.Action, diag.List) {
	compile := c.CompileAction
	if compile == nil {
		compile = (*action.Template).Compile
	}
	a, list := compile(t, o)
	return a, list.WithPrefix("properties")
}
