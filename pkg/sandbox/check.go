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

// Package sandbox validates TriggerServices and actions, and renders worker templates,
// in child processes with limits on memory, CPU time and stack depth.
//
// Evaluating untrusted CUE can exhaust memory or run forever, and cannot be canceled
// within the process. Child therefore validates in a child process. A check consists
// of named steps; a step that exceeds a limit ends the child, is reported as a
// problem, and is skipped by the next child. All problems are reported at once, with
// their positions.
package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/pkg/dataflow"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Request is a request to check a TriggerService and its actions.
type Request struct {
	Service v1alpha1.TriggerService
	// Actions are the templates of the actions that are not built in, by type.
	Actions map[string]Action
	// Steps are the names of workflow steps to suggest for one that is not in Actions.
	Steps []string `json:",omitempty"`
	// Worker is the worker template to render; nil for none.
	Worker *Worker
	// Describe has the report describe the only action, or the worker template.
	Describe bool `json:",omitempty"`
	// Kinds are the types of objects in the cluster.
	Kinds []kubeschema.Kind `json:",omitempty"`
	// Checks decides what of the types of events is a problem.
	Checks trigger.Checks
	// Rights has the report list the rights that the actions of triggers need, and warn about
	// triggers that feed each other in a circle.
	Rights bool `json:",omitempty"`
}

// Worker is a worker template and its input.
type Worker struct {
	// Template is its CUE.
	Template string
	// Input is its input without Properties, which are those of Properties.
	Input      workload.Input
	Properties json.RawMessage
}

// Action is the template of an action, in two versions.
type Action struct {
	// Source is its CUE.
	Source string
	// Previous is the CUE of the last valid version, or empty. It stays active if Source
	// is broken.
	Previous string
}

// A Checker checks TriggerServices and actions.
type Checker interface {
	// Check returns an error only if the check itself fails.
	Check(ctx context.Context, r Request) (Report, error)
}

// Local is a Checker without a sandbox: it evaluates CUE in this process.
type Local struct {
	Sources source.Registry
	// BuiltIn are the templates of the built-in actions, by type.
	BuiltIn map[string]trigger.Template
}

// Check implements Checker. The error is always nil.
func (l Local) Check(ctx context.Context, r Request) (Report, error) {
	return l.check(ctx, r, func(string) string { return "" }), nil
}

// Serve is the child side of Child.Check.
func (l Local) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	return Serve(in, out, func(r Request, s *Steps) (Report, error) { return l.check(ctx, r, s.Begin), nil })
}

// check calls begin before each step that may exceed a limit. If begin returns a
// reason, the step is skipped and the reason is its problem.
func (l Local) check(ctx context.Context, r Request, begin func(step string) (reason string)) Report {
	report := Report{BrokenActions: map[string]diag.List{}, UnknownActions: map[string]string{}}
	templates, parser := maps.Clone(l.BuiltIn), action.NewParser()
	for _, name := range slices.Sorted(maps.Keys(r.Actions)) {
		t, problems := parseAction(parser, name, r.Actions[name], begin)
		if len(problems) > 0 {
			report.BrokenActions[name] = problems
		}
		switch {
		case t != nil:
			templates[name] = trigger.Parsed(t)
		case templates[name] == nil:
			templates[name] = trigger.Invalid(problems)
		}
	}
	exceeded, flows := map[int]bool{}, make([]dataflow.Flow, len(r.Service.Spec.Triggers))
	reject := func(index int, _, part string) string {
		if part == "" {
			return ""
		}
		reason := begin(fmt.Sprintf("%s of triggers[%d]", part, index))
		exceeded[index] = exceeded[index] || reason != ""
		return reason
	}
	compiler := trigger.Compiler{
		Sources: l.Sources, Actions: templates, Steps: r.Steps, CompileAction: compileOnce(), //nolint:contextcheck // compiling executes no calls
		Executor: func(event.TriggerRef) provider.Executor { return nil },
		Schemas:  kubeschema.New(r.Kinds), Checks: r.Checks,
	}
	for i, t := range trigger.CompileService(compiler, &r.Service, reject) {
		checked := TriggerReport{Name: t.Name, Problems: t.Problems, Warnings: t.Warnings, ResourceExceeded: exceeded[i]}
		if t.Subscription != nil {
			checked.Watch = t.Subscription.Watch()
		}
		if r.Service.Spec.Triggers[i].Filter != "" && begin(fmt.Sprintf("match of triggers[%d]", i)) == "" {
			checked.MatchesAll = matchesAll(ctx, t.Filter)
		}
		if r.Rights && len(t.Problems) == 0 && begin(fmt.Sprintf("rights of triggers[%d]", i)) == "" {
			flow := dataflow.Of(t, r.Service.Spec.Triggers[i], trigger.ApplicationOf(&r.Service), nil)
			checked.Rights, flows[i] = actionRights(flow), flow
		}
		report.Triggers = append(report.Triggers, checked)
		for path, name := range actionTypes(r.Service.Spec.Triggers[i]) {
			if name != "" && templates[name] == nil {
				report.UnknownActions[fmt.Sprintf("spec.triggers[%d].%s", i, path)] = name
			}
		}
	}
	addCycles(report.Triggers, flows)
	if r.Worker != nil {
		report.Deployment, report.WorkerProblems = renderWorker(*r.Worker, begin)
	}
	if r.Describe {
		report.Description = describe(r, templates, begin)
	}
	report.limit()
	return report
}

// compileOnce returns a function that compiles an action, unless an equal one has been
// compiled for another trigger: actions that are only checked do not depend on the trigger.
func compileOnce() func(*action.Template, action.Options) (*action.Action, diag.List) {
	type key struct {
		template *action.Template
		computed *expr.Computed
		options  string
	}
	type compiled struct {
		action   *action.Action
		problems diag.List
	}
	known := map[key]compiled{}
	return func(t *action.Template, o action.Options) (*action.Action, diag.List) {
		o.Trigger = event.Trigger{}
		k := key{template: t, computed: o.Computed}
		others := o
		others.Computed = nil
		options, err := json.Marshal(others)
		if err != nil {
			return t.Compile(o)
		}
		k.options = string(options)
		c, ok := known[k]
		if !ok {
			c.action, c.problems = t.Compile(o)
			known[k] = c
		}
		return c.action, slices.Clone(c.problems)
	}
}

func renderWorker(w Worker, begin func(step string) string) (*appsv1.Deployment, diag.List) {
	if reason := begin("worker template"); reason != "" {
		return nil, diag.List{{Message: reason}}
	}
	if len(w.Properties) > 0 {
		// Unlike encoding/json, this package keeps integers.
		if err := utiljson.Unmarshal(w.Properties, &w.Input.Properties); err != nil {
			return nil, diag.List{{Path: "properties", Message: "must be an object"}}
		}
	}
	return workload.Deployment(w.Template, w.Input)
}

// Refuse returns the report of a request that cannot be checked, for example because the
// check exceeds a limit: all of it is invalid for the reason.
func Refuse(r Request, reason string) Report {
	report := Report{Refused: true, BrokenActions: map[string]diag.List{}, UnknownActions: map[string]string{}}
	for name := range r.Actions {
		report.BrokenActions[name] = diag.List{{Message: reason}}
	}
	reject := func(int, string, string) string { return reason }
	for _, t := range trigger.CompileService(trigger.Compiler{}, &r.Service, reject) {
		report.Triggers = append(report.Triggers, TriggerReport{Name: t.Name, Problems: t.Problems, ResourceExceeded: true})
	}
	if r.Worker != nil {
		report.WorkerProblems = diag.List{{Message: reason}}
	}
	report.limit()
	return report
}

// parseAction returns the active template of an action, nil if there is none, and the
// problems of its Source.
func parseAction(parser action.Parser, name string, a Action, begin func(step string) string) (*action.Template, diag.List) {
	parse := func(step, source string) (*action.Template, diag.List) {
		if reason := begin(step); reason != "" {
			return nil, diag.List{{Message: reason}}
		}
		t, problems := parser.Parse(name, source)
		if len(problems) > 0 {
			return nil, problems
		}
		return t, nil
	}
	t, problems := parse("action "+name, a.Source)
	if t == nil && a.Previous != "" {
		t, _ = parse("previous action "+name, a.Previous)
	}
	return t, problems
}

// actionTypes returns the action types of a trigger, by the path of the field that
// names them.
func actionTypes(t v1alpha1.Trigger) map[string]string {
	types := map[string]string{"action.type": t.Action.Type}
	for i, a := range t.Actions {
		types[fmt.Sprintf("actions[%d].type", i)] = a.Type
	}
	return types
}

// matchesAll reports whether f matches without depending on any field of the event.
func matchesAll(ctx context.Context, f filter.Filter) bool {
	if f == nil || !f.ContextFields().Empty() {
		return false
	}
	v, err := f.Match(ctx, event.Event{})
	return err == nil && v.Match
}
