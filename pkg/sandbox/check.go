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
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Request is a request to check a TriggerService and its actions.
type Request struct {
	Service v1alpha1.TriggerService
	// Actions are the templates of the actions that are not built in, by type.
	Actions map[string]Action
	// Worker is the worker template to render; nil for none.
	Worker *Worker
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

// Report is the result of a check.
type Report struct {
	// Refused is set if the request could not be checked, for example within the time. A
	// later check may end otherwise.
	Refused bool `json:",omitempty"`
	// Triggers has an element for each trigger, in the order of the spec.
	Triggers []TriggerReport
	// BrokenActions has the problems of the actions whose Source is broken, by type.
	// Their positions are in Source.
	BrokenActions map[string]diag.List
	// UnknownActions has the types of actions that are neither built in nor active, by
	// the path of the field that names them.
	UnknownActions map[string]string
	// Deployment is what the worker template renders to. It is nil if there are
	// WorkerProblems. Their paths are those of workload.Deployment.
	Deployment     *appsv1.Deployment
	WorkerProblems diag.List
}

// TriggerReport is the result for one trigger.
type TriggerReport struct {
	Name string
	// Problems are empty if the trigger is valid. Their paths are relative to the
	// TriggerService.
	Problems diag.List
	// Warnings are about what is valid, and probably not meant.
	Warnings diag.List `json:",omitempty"`
	// ResourceExceeded is set if the check exceeded a limit. Such a trigger must not be
	// compiled outside a sandbox.
	ResourceExceeded bool
	// MatchesAll is set if the trigger has a filter that matches every event.
	MatchesAll bool
	// Watch is the watch of the source, or nil if it watches no objects.
	Watch *source.Watch
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
	templates := maps.Clone(l.BuiltIn)
	for _, name := range slices.Sorted(maps.Keys(r.Actions)) {
		t, problems := parseAction(name, r.Actions[name], begin)
		if len(problems) > 0 {
			report.BrokenActions[name] = problems
		}
		if t != nil {
			templates[name] = trigger.Parsed(t)
		}
	}
	exceeded := map[int]bool{}
	reject := func(index int, _, part string) string {
		if part == "" {
			return ""
		}
		reason := begin(fmt.Sprintf("%s of triggers[%d]", part, index))
		exceeded[index] = exceeded[index] || reason != ""
		return reason
	}
	compiler := trigger.Compiler{
		Sources: l.Sources, Actions: templates, CompileAction: compileOnce(), //nolint:contextcheck // compiling executes no calls
		Executor: func(event.TriggerRef) provider.Executor { return nil },
	}
	for i, t := range trigger.CompileService(compiler, &r.Service, reject) {
		checked := TriggerReport{Name: t.Name, Problems: t.Problems, Warnings: t.Warnings, ResourceExceeded: exceeded[i]}
		if t.Subscription != nil {
			checked.Watch = t.Subscription.Watch()
		}
		if r.Service.Spec.Triggers[i].Filter != "" && begin(fmt.Sprintf("match of triggers[%d]", i)) == "" {
			checked.MatchesAll = matchesAll(ctx, t.Filter)
		}
		report.Triggers = append(report.Triggers, checked)
		for path, name := range actionTypes(r.Service.Spec.Triggers[i]) {
			if name != "" && templates[name] == nil {
				report.UnknownActions[fmt.Sprintf("spec.triggers[%d].%s", i, path)] = name
			}
		}
	}
	if r.Worker != nil {
		report.Deployment, report.WorkerProblems = renderWorker(*r.Worker, begin)
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

const (
	// MaxProblems limits the problems of a report.
	MaxProblems = 100
	// MaxProblemBytes limits the size of their messages in bytes.
	MaxProblemBytes = 4 << 10
	// MaxMessage limits the size of one message in bytes.
	MaxMessage = 1 << 10
)

// limit cuts the problems, and the warnings, to MaxProblems and MaxProblemBytes. A trigger, action or
// template with problems keeps at least one, without details if need be.
func (r *Report) limit() {
	l := limiter{problems: MaxProblems, bytes: MaxProblemBytes}
	r.WorkerProblems = l.limit(r.WorkerProblems)
	for _, name := range slices.Sorted(maps.Keys(r.BrokenActions)) {
		r.BrokenActions[name] = l.limit(r.BrokenActions[name])
	}
	for i := range r.Triggers {
		r.Triggers[i].Problems = l.limit(r.Triggers[i].Problems)
		r.Triggers[i].Warnings = l.limit(r.Triggers[i].Warnings)
	}
	warnings := limiter{problems: MaxProblems, bytes: MaxProblemBytes}
	for i := range r.Triggers {
		r.Triggers[i].Warnings = warnings.limit(r.Triggers[i].Warnings)
	}
}

// limiter has the rest of the limits of a report.
type limiter struct{ problems, bytes int }

func (l *limiter) limit(list diag.List) diag.List {
	var out diag.List
	for i, p := range list {
		p.Message = diag.Truncate(p.Message, MaxMessage)
		if l.problems == 0 || len(p.Message) > l.bytes {
			const more = "problems are not shown, because there are too many"
			return append(out, diag.Diagnostic{Path: p.Path, Message: fmt.Sprintf("%d %s", len(list)-i, more)})
		}
		l.problems--
		l.bytes -= len(p.Message)
		out = append(out, p)
	}
	return out
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
func parseAction(name string, a Action, begin func(step string) string) (*action.Template, diag.List) {
	parse := func(step, source string) (*action.Template, diag.List) {
		if reason := begin(step); reason != "" {
			return nil, diag.List{{Message: reason}}
		}
		t, problems := action.Parse(name, source)
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

// ActiveTemplates returns the template that is active for each of actions, by type:
// Source, or Previous if Source is broken. Actions with neither are omitted.
func (r Report) ActiveTemplates(actions map[string]Action) map[string]string {
	out := map[string]string{}
	for name, a := range actions {
		source := a.Source
		if len(r.BrokenActions[name]) > 0 {
			source = a.Previous
		}
		if source != "" {
			out[name] = source
		}
	}
	return out
}
