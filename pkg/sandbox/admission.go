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

// Package admission says whether a TriggerService, and the actions that it uses,
// can run. It finds all problems at once, and says of each where it is.
//
// CUE that somebody else wrote can use up all memory or never end, and nothing
// can stop it from within. Child checks it in a process of its own, with limits.
package sandbox

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Request is what to check.
type Request struct {
	Service v1alpha1.TriggerService
	// Actions are the templates of the actions that are not built in, by name.
	Actions map[string]Action
	// Only are the indexes of the triggers to check; nil for all.
	Only []int
}

// Action is the template of an action.
type Action struct {
	// Source is its CUE.
	Source string
	// Previous is the CUE that was in force before, empty where there was none. It
	// stays in force where Source is broken.
	Previous string
}

// Report says what is wrong.
type Report struct {
	// Triggers has an element for each trigger. Those that were not to be
	// checked have no problems.
	Triggers []TriggerReport
	// BrokenActions are the actions whose Source is broken, and what is wrong with it.
	// The places are in Source.
	BrokenActions map[string]diag.List
	// UnknownActions are the actions that are neither built in nor in force, by the path
	// of the field that names them.
	UnknownActions map[string]string
}

// TriggerReport is what is wrong with a trigger.
type TriggerReport struct {
	Name string
	// Problems have paths relative to the TriggerService.
	Problems diag.List
	// ResourceExceeded is set where the check needed too much memory or time. Nobody
	// should compile such a trigger.
	ResourceExceeded bool
	// MatchesAll is set where the filter is not empty and yet matches every event.
	MatchesAll bool
	// Watch is what the source watches, nil where it watches no objects.
	Watch *Watch
}

// Watch is the objects of a kind, in one namespace or, where that is empty, in
// all.
type Watch struct {
	Kind      schema.GroupVersionKind
	Namespace string
}

// A Checker checks. The error says that it could not.
type Checker interface {
	Check(ctx context.Context, r Request) (Report, error)
}

// Local checks in this process.
type Local struct {
	Sources source.Registry
	// BuiltIn are the actions that are there without a template.
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
	compiler := trigger.Compiler{Sources: l.Sources, Actions: templates, Executor: noop}
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
		if w, ok := t.Subscription.(source.Watcher); ok {
			checked.Watch = &Watch{}
			checked.Watch.Kind, checked.Watch.Namespace = w.Watches()
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

// actionTypes returns the actions of a trigger by the paths of the fields that name
// them.
func actionTypes(t v1alpha1.Trigger) map[string]string {
	all := map[string]string{"action.type": t.Action.Type}
	for i, a := range t.Actions {
		all[fmt.Sprintf("actions[%d].type", i)] = a.Type
	}
	return all
}

// matchesAll reports whether f matches, and depends on nothing.
func matchesAll(ctx context.Context, f filter.Filter) bool {
	refers, ok := f.(interface {
		Context() expr.FieldSet
	})
	if !ok || !refers.Context().Empty() {
		return false
	}
	v, err := f.Match(ctx, event.Event{})
	return err == nil && v.Match
}

// ActiveTemplates returns the templates that the TriggerService runs with, by name.
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
