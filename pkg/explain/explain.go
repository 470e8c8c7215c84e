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

// Package explain says why a trigger acted, or did not.
//
// What became of events is in the decisions of the process that runs the trigger. If there is
// none about an object, the causes are checked in the order in which an event would meet them.
// Everything else, such as the fields of an object, is read as the caller, who sees no more
// than its own rights allow. Values of Secrets are not shown.
package explain

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/observe"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Rule is a trigger to explain.
type Rule struct {
	event.TriggerRef
	SourceType string
	Suspended  bool
	// Subscription is nil if the source is not valid.
	Subscription source.Subscription
	// Status is that of the TriggerService; nil for none.
	Status *v1alpha1.TriggerStatus
}

// Explainer explains rules. Client is the caller's.
type Explainer struct {
	Client client.Client
	// Account is the user name that the triggers act as; empty if they act as the caller.
	Account string
	// Groups are those of Account.
	Groups []string
	// Decisions are those of all rules, the newest first, and Since is when the first process
	// that has decisions started; zero if that is not known.
	Decisions []observe.Decision
	Since     time.Time
	// Object is the object of interest; nil for all.
	Object *Object
}

// Finding is something that keeps a trigger from acting.
type Finding struct {
	// Reason is a word in CamelCase.
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// Trigger is the explanation of one rule.
type Trigger struct {
	Name   string                `json:"name"`
	Source string                `json:"source"`
	State  v1alpha1.TriggerState `json:"state,omitempty"`
	// Problems are what is wrong now.
	Problems []Finding `json:"problems,omitempty"`
	// IgnoredEvents are the types of events that the trigger does not ask for.
	IgnoredEvents []string `json:"ignoredEvents,omitempty"`
	// Decisions are what became of events, the newest first.
	Decisions []Decision `json:"decisions"`
	// NoDecision is why there is no decision.
	NoDecision *Finding `json:"noDecision,omitempty"`
	// LastError is the error of the last attempt that failed, and its time.
	LastError     string     `json:"lastError,omitempty"`
	LastErrorTime *time.Time `json:"lastErrorTime,omitempty"`
}

// Explain explains a rule.
func (e Explainer) Explain(ctx context.Context, r Rule) Trigger {
	out := Trigger{Name: r.Name, Source: r.SourceType, State: v1alpha1.TriggerRunning, Decisions: []Decision{}}
	if s := r.Status; s != nil {
		out.State, out.LastError = s.State, s.LastError
		if s.LastErrorTime != nil {
			out.LastErrorTime = &s.LastErrorTime.Time
		}
	}
	if r.Suspended {
		out.State = v1alpha1.TriggerSuspended
	}
	out.Problems = e.problems(ctx, r)
	out.IgnoredEvents = r.ignoredEvents()
	for _, d := range e.latest(r) {
		out.Decisions = append(out.Decisions, e.describe(ctx, r, d))
	}
	if len(out.Decisions) == 0 {
		missing := e.missing(ctx, r, out)
		out.NoDecision = &missing
	}
	return out
}

// latest returns the last decision of the rule about each event of the object.
func (e Explainer) latest(r Rule) (out []observe.Decision) {
	type id struct{ key, cluster, id, eventType string }
	seen := map[id]bool{}
	for _, d := range e.Decisions {
		event := id{d.Event.Key, d.Event.Cluster, d.Event.ID, d.Event.Type}
		if d.Trigger != r.String() || seen[event] || e.Object != nil && !e.Object.isOf(r, d) {
			continue
		}
		seen[event] = true
		out = append(out, d)
	}
	return out
}

// watch returns the objects that the rule watches; nil for none, or if that is not known.
func (r Rule) watch() *source.Watch {
	if r.Subscription == nil {
		return nil
	}
	return r.Subscription.Watch()
}

// ignoredEvents returns the types of changes of objects that the rule does not ask for.
func (r Rule) ignoredEvents() (ignored []string) {
	if !r.selectsTypes() {
		return nil
	}
	for _, eventType := range []string{event.Create, event.Update, event.Delete} {
		if r.Subscription.Skip(event.Event{Type: eventType}, source.Delivery{}) == source.NotSubscribed {
			ignored = append(ignored, eventType)
		}
	}
	return ignored
}
