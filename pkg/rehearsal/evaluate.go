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

package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Evaluation is what one trigger makes of a stimulus.
type Evaluation struct {
	Trigger string `json:"trigger"`
	// Place is where the trigger begins: file and line.
	Place string `json:"place,omitempty"`
	// Ignored is why the source makes no event for the trigger; then there are no Events.
	Ignored string            `json:"ignored,omitempty"`
	Events  []EventEvaluation `json:"events,omitempty"`
	// Notes are what a live run does besides.
	Notes []string `json:"notes,omitempty"`
}

// EventEvaluation is what a trigger makes of one event.
type EventEvaluation struct {
	// Event describes the event: "update ConfigMap prod/web".
	Event string `json:"event"`
	// Ignored is why the trigger ignores it before the filter is evaluated.
	Ignored string `json:"ignored,omitempty"`
	// Match is the verdict of the filter, Reason why it is not true, and Filter its parts.
	Match  bool          `json:"match"`
	Reason string        `json:"reason,omitempty"`
	Filter []filter.Part `json:"filter,omitempty"`
	// Calls are the calls of the action. They are not executed in a cluster.
	Calls []Call `json:"calls,omitempty"`
	// Missing are the objects that calls read, and that are not given.
	Missing []string `json:"missing,omitempty"`
	// Error is why the action fails.
	Error string `json:"error,omitempty"`
	// Writes are the objects before and after the writes that the API server has tried.
	Writes []Write `json:"writes,omitempty"`
}

// Evaluate returns what the only trigger of o makes of s. Its windows, retries and limits are
// left out.
func Evaluate(ctx context.Context, o Options, s Stimulus) (out Evaluation, err error) {
	t := o.Triggers[0]
	out = Evaluation{Trigger: t.String(), Notes: notes(t)}
	if s.Object != nil && s.Old == nil && s.Type == event.Update && !t.Filter.ContextFields().IsAll() && !t.Filter.ContextFields().Under("old").Empty() {
		out.Notes = append(out.Notes, "the filter refers to context.old, and the object before the update is not given")
	}
	t.Policy.Debounce, t.Policy.RateLimit, t.Policy.Suspend = 0, engine.RateLimit{}, false
	t.Policy.Retry.Limit = ptr.To(0)
	o.Triggers = []trigger.Compiled{t}
	var missing []string
	o.Missed = func(r Ref) {
		if text := r.String(); !slices.Contains(missing, text) {
			missing = append(missing, text)
		}
	}
	if s.Old != nil {
		o.Objects = append(slices.Clone(o.Objects), s.Old)
	}
	r, err := Start(ctx, o)
	if err != nil {
		return out, err
	}
	defer func() {
		if stopErr := r.Close(); err == nil {
			err = stopErr
		}
	}()
	sub := r.triggers[0]
	occurrences, ignored, err := r.occurrences(t, sub, s)
	if err != nil {
		return out, err
	}
	out.Ignored = ignored
	r.discard()
	for _, occurrence := range occurrences {
		missing = nil
		e, err := r.evaluate(ctx, t, sub, occurrence)
		if err != nil {
			return out, err
		}
		e.Missing = missing
		if o.Cluster != nil {
			e.Missing = nil
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}

// notes returns what a live run of t does besides.
func notes(t trigger.Compiled) (notes []string) {
	if t.Suspended || t.Policy.Suspend {
		notes = append(notes, "the trigger is suspended: in a live run it gets no events")
	}
	if d := t.Policy.Debounce; d > 0 {
		notes = append(notes, fmt.Sprintf("in a live run the action waits for the end of the window of %s (debounce)", d))
	}
	if l := t.Policy.RateLimit; l.Limit > 0 {
		notes = append(notes, fmt.Sprintf("in a live run the action runs at most %d times in %s (rateLimit)", l.Limit, l.Period))
	}
	return notes
}

// discard forgets changes that are no events.
func (r *Run) discard() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = nil
}

// evaluate returns what a trigger makes of an event.
func (r *Run) evaluate(ctx context.Context, t trigger.Compiled, sub *rehearsed, o source.Occurrence) (EventEvaluation, error) {
	out := EventEvaluation{Event: describe(o.Event)}
	if reason := sub.Skip(o.Event, o.Delivery); reason != "" {
		out.Ignored = ignored(reason, o.Event)
		return out, nil
	}
	x, err := t.Filter.Explain(ctx, o.Event)
	if err != nil {
		out.Reason = err.Error()
		return out, nil //nolint:nilerr // of the filter, for every event
	}
	out.Match, out.Reason, out.Filter = x.Match, x.Reason, public(o.Event, x.Parts)
	if !x.Match {
		return out, nil
	}
	r.take()
	if err := r.deliverAll(ctx, sub, []source.Occurrence{o}); err != nil {
		return out, err
	}
	result := r.take()
	for _, c := range result.Calls {
		out.Calls = append(out.Calls, c.Call)
	}
	for _, d := range result.Decisions {
		if d.Err != nil {
			out.Error = d.Err.Error()
		}
	}
	out.Writes = r.writes
	return out, nil
}

// ignored explains why a trigger ignores an event.
func ignored(reason source.Reason, ev event.Event) string {
	switch reason {
	case source.NotSubscribed:
		if ev.Source == "application" {
			return "the trigger does not subscribe to what has changed"
		}
		return fmt.Sprintf("the trigger does not subscribe to events of the type %s", ev.Type)
	case source.NoChange:
		return "none of the fields of onChange has changed"
	}
	return string(reason)
}

// public returns parts without values of Secrets in the event.
func public(ev event.Event, parts []filter.Part) []filter.Part {
	if !redact.Holds(ev.Data) && !redact.Holds(ev.Old) {
		return parts
	}
	secrets := redact.New(ev.Data, ev.Old)
	for _, p := range parts {
		for i := range p.Values {
			p.Values[i].Value = secrets.Public(map[string]any{"value": p.Values[i].Value})["value"]
		}
	}
	return parts
}

// describe returns a text for an event, such as "update ConfigMap prod/web".
func describe(ev event.Event) string {
	kind, _ := ev.Data["kind"].(string)
	text := ev.Type
	if kind != "" {
		text += " " + kind
		if name := metadataText(ev.Data, "name"); name != "" {
			text += " " + strings.TrimPrefix(metadataText(ev.Data, "namespace")+"/"+name, "/")
		}
	}
	if fired, ok := ev.Data["timeFired"].(string); ok && kind == "" {
		text += " " + fired
	}
	return text
}
