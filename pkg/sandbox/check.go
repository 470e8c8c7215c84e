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

// Package sandbox validates TriggerServices and actions in child processes with
// limits on memory, CPU time and stack depth.
//
// Evaluating untrusted CUE can exhaust memory or run forever, and cannot be canceled
// within the process. Child therefore validates in a child process, and reports which
// trigger or action exceeded a limit. RunSteps does the same for other work that
// consists of named steps. All problems are reported at once, with their positions.
package sandbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
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
	// Only has the indexes of the triggers to check. Defaults to all if nil.
	Only []int
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
	// Triggers has an element for each trigger, in the order of the spec. Triggers that
	// Only excludes have no problems.
	Triggers []TriggerReport
	// BrokenActions has the problems of the actions whose Source is broken, by type.
	// Their positions are in Source.
	BrokenActions map[string]diag.List
	// UnknownActions has the types of actions that are neither built in nor active, by
	// the path of the field that names them.
	UnknownActions map[string]string
}

// TriggerReport is the result for one trigger.
type TriggerReport struct {
	Name string
	// Problems are empty if the trigger is valid. Their paths are relative to the
	// TriggerService.
	Problems diag.List
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
	sources, previous := map[string]string{}, map[string]string{}
	for name, a := range r.Actions {
		sources[name] = a.Source
	}
	templates, broken := trigger.AddActions(l.BuiltIn, sources)
	for name := range broken {
		if a := r.Actions[name]; a.Previous != "" {
			previous[name] = a.Previous
		}
	}
	templates, _ = trigger.AddActions(templates, previous)
	report := Report{BrokenActions: broken, UnknownActions: map[string]string{}}
	compiler := trigger.Compiler{Sources: l.Sources, Actions: templates, Executor: func(event.TriggerRef) provider.Executor { return nil }}
	const notChecked = "not checked"
	reject := func(index int, _ string) string {
		if r.Only == nil || slices.Contains(r.Only, index) {
			return ""
		}
		return notChecked
	}
	for i, t := range trigger.CompileService(compiler, &r.Service, reject) {
		if reject(i, t.Name) == notChecked {
			t.Problems = nil
		}
		checked := TriggerReport{Name: t.Name, Problems: t.Problems, MatchesAll: r.Service.Spec.Triggers[i].Filter != "" && matchesAll(ctx, t.Filter)}
		if t.Subscription != nil {
			checked.Watch = t.Subscription.Watch()
		}
		report.Triggers = append(report.Triggers, checked)
		for path, name := range actionTypes(r.Service.Spec.Triggers[i]) {
			if name != "" && templates[name] == nil {
				report.UnknownActions[fmt.Sprintf("spec.triggers[%d].%s", i, path)] = name
			}
		}
	}
	return report, nil
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
	dependent, ok := f.(interface {
		Context() expr.FieldSet
	})
	if !ok || !dependent.Context().Empty() {
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
