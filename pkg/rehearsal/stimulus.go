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
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// Stimulus is what an event is made of. Exactly one of Event, Object, Request and Tick is set.
type Stimulus struct {
	// Event is an event. An empty Source is that of any trigger.
	Event *event.Event
	// Object is an object, Type the type of its event, and Old its state before; nil if that
	// is not known.
	Object, Old map[string]any
	Type        string
	// Request is a request with its Body.
	Request *http.Request
	Body    []byte
	// Tick is the time of a tick.
	Tick time.Time
}

// occurrences returns the events of s for a trigger, or why there are none.
func (r *Run) occurrences(t trigger.Compiled, sub *rehearsed, s Stimulus) ([]source.Occurrence, string, error) {
	other := func(what string) string { return fmt.Sprintf("its source is %s, not %s", t.SourceType, what) }
	switch {
	case s.Event != nil:
		return r.given(t, sub, *s.Event)
	case s.Object != nil && sub.objects == nil:
		return nil, other("one of objects"), nil
	case s.Object != nil:
		if reason := sub.objects.Mismatch(r.objects.named(s.Object)); reason != "" {
			return nil, reason, nil
		}
		return r.change(sub, s)
	case s.Request != nil:
		hook, ok := sub.Subscription.(source.RequestRehearser)
		if !ok {
			return nil, other("webhook"), nil
		}
		events, err := hook.RehearseRequest(s.Request, s.Body, r.clock.Now())
		if err != nil {
			return nil, "the request is rejected: " + err.Error(), nil //nolint:nilerr // the answer of the webhook
		}
		return occurrencesOf(events...), "", nil
	}
	ticks, ok := sub.Subscription.(source.TickRehearser)
	if !ok {
		return nil, other("cronjob"), nil
	}
	at := s.Tick.UTC().Format(time.RFC3339)
	ev := ticks.RehearseTicks(s.Tick.Add(-time.Second)).Tick()
	if fired, _ := ev.Data["timeFired"].(string); fired != at {
		return nil, fmt.Sprintf("its schedule has no tick at %s; the next one is at %s", at, fired), nil
	}
	return occurrencesOf(ev), "", nil
}

func occurrencesOf(events ...event.Event) (out []source.Occurrence) {
	for _, ev := range events {
		out = append(out, source.Occurrence{Event: ev})
	}
	return out
}

// given returns an event that is given as such.
func (r *Run) given(t trigger.Compiled, sub *rehearsed, ev event.Event) ([]source.Occurrence, string, error) {
	if ev.Source != "" && ev.Source != t.SourceType {
		return nil, fmt.Sprintf("its source is %s, and the event is one of %s", t.SourceType, ev.Source), nil
	}
	ev.Source = t.SourceType
	_, isObject := ev.Data["kind"].(string)
	if isObject && sub.objects != nil {
		if reason := sub.objects.Mismatch(ev.Data); reason != "" {
			return nil, reason, nil
		}
		if u := (unstructured.Unstructured{Object: ev.Data}); r.objects.Get(u.GroupVersionKind().GroupKind(), u.GetNamespace(), u.GetName()) == nil && ev.Type != event.Delete {
			if err := r.objects.Put(ev.Data); err != nil {
				return nil, "", err
			}
		}
	}
	return occurrencesOf(ev), "", nil
}

// change returns the events of the change of an object.
func (r *Run) change(sub *rehearsed, s Stimulus) ([]source.Occurrence, string, error) {
	if s.Old != nil && s.Type != event.Update {
		return nil, "", fmt.Errorf("an event of the type %s has no state before", s.Type)
	}
	before := r.objects.stateOf(s.Object)
	if s.Type == event.Create && before != nil || s.Old == nil && before != nil {
		r.objects.removeState(before)
		before = nil
	}
	if err := r.objects.Put(s.Object); err != nil {
		return nil, "", err
	}
	after := r.objects.stateOf(s.Object)
	var out []source.Occurrence
	switch s.Type {
	case event.Sync:
		out = sub.objects.Add(after)
		if len(out) == 0 {
			return nil, "the trigger does not subscribe to events of the type sync", nil
		}
	case event.Delete:
		sub.objects.Add(after)
		r.objects.removeState(after)
		out = sub.objects.Change(after, nil)
	case event.Create:
		out = sub.objects.Change(nil, after)
	default:
		out = sub.objects.Change(before, after)
		for i := range out {
			if before == nil {
				out[i].Event.Type = event.Update
			}
		}
	}
	if len(out) == 0 {
		return nil, "nothing has changed that its source reports", nil
	}
	return out, "", nil
}
