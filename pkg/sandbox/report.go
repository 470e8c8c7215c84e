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

package sandbox

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/source"
)

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
	// UnknownActions has the types of actions that are neither built in nor among the
	// request's, by the path of the field that names them.
	UnknownActions map[string]string
	// Deployment is what the worker template renders to. It is nil if there are
	// WorkerProblems. Their paths are those of workload.Deployment.
	Deployment     *appsv1.Deployment
	WorkerProblems diag.List
	// Description is set if the request asks for it.
	Description *Description `json:",omitempty"`
}

// TriggerReport is the result for one trigger.
type TriggerReport struct {
	Name string
	// Problems are empty if the trigger is valid. Their paths are relative to the
	// TriggerService. Those that follow from BrokenActions are secondary.
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
	// Rights are those that the actions need, by the path of the action, if the request asks for
	// them. All is set in those that concern no single object.
	Rights map[string][]rights.Right `json:",omitempty"`
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

// InvalidActions returns the problems of each of actions that has no active template, by
// type.
func (r Report) InvalidActions(actions map[string]Action) map[string]string {
	out := map[string]string{}
	for name, a := range actions {
		if problems := r.BrokenActions[name]; len(problems) > 0 && a.Previous == "" {
			out[name] = problems.Error()
		}
	}
	return out
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
