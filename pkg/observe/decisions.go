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

// Package decisions keeps what triggers decided lately, and shows it, for those
// who ask why a trigger did or did not act.
//
// It is bounded for each trigger, so that a busy one does not push out what
// another decided. It holds nothing of the data of events.
package observe

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// MaxDecisions is how many decisions of each trigger are kept.
const MaxDecisions = 100

// DecisionLog holds the last decisions of each trigger, other than that it did not
// subscribe to an event. The zero value is empty and ready. It is safe for
// concurrent use.
type DecisionLog struct {
	mu        sync.Mutex
	byTrigger map[event.TriggerRef]*ring
}

// ring is full of decisions; the oldest is at next, once there are Kept.
type ring struct {
	decisions []engine.Decision
	next      int
}

var _ engine.Observer = (*DecisionLog)(nil)

// Observe implements engine.Observer.
func (r *DecisionLog) Observe(d engine.Decision) {
	if d.Reason == string(source.NotSubscribed) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byTrigger == nil {
		r.byTrigger = map[event.TriggerRef]*ring{}
	}
	buffer := r.byTrigger[d.Trigger]
	if buffer == nil {
		buffer = &ring{}
		r.byTrigger[d.Trigger] = buffer
	}
	if len(buffer.decisions) < MaxDecisions {
		buffer.decisions = append(buffer.decisions, d)
		return
	}
	buffer.decisions[buffer.next] = d
	buffer.next = (buffer.next + 1) % MaxDecisions
}

// Retain forgets the decisions of all triggers but these.
func (r *DecisionLog) Retain(triggers []event.TriggerRef) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range r.byTrigger {
		if !slices.Contains(triggers, t) {
			delete(r.byTrigger, t)
		}
	}
}

// Decision is an engine.Decision as it is shown. Durations are in seconds.
type Decision struct {
	Time     time.Time      `json:"time"`
	Trigger  string         `json:"trigger"`
	Event    Event          `json:"event"`
	Outcome  engine.Outcome `json:"outcome"`
	Reason   string         `json:"reason,omitempty"`
	Path     string         `json:"path,omitempty"`
	Action   string         `json:"action,omitempty"`
	Attempt  int            `json:"attempt,omitempty"`
	RetryIn  float64        `json:"retryInSeconds,omitempty"`
	Duration float64        `json:"tookSeconds,omitempty"`
	Age      float64        `json:"ageSeconds"`
	Error    string         `json:"error,omitempty"`
}

// Event names the event that was decided about.
type Event struct {
	Source  string `json:"source"`
	Type    string `json:"type"`
	Cluster string `json:"cluster,omitempty"`
	Key     string `json:"key"`
	ID      string `json:"id"`
}

// Recent returns the decisions of a trigger about a key, newest first. An empty
// trigger, which is as event.Trigger is written, or key stands for all.
func (r *DecisionLog) Recent(trigger, key string) []Decision {
	recent := []Decision{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for t, buffer := range r.byTrigger {
		name := t.String()
		if trigger != "" && trigger != name {
			continue
		}
		for _, d := range slices.Concat(buffer.decisions[buffer.next:], buffer.decisions[:buffer.next]) {
			if key == "" || key == d.Event.Key {
				recent = append(recent, newDecision(name, d))
			}
		}
	}
	slices.Reverse(recent)
	slices.SortStableFunc(recent, func(a, b Decision) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Trigger, b.Trigger))
	})
	return recent
}

func newDecision(trigger string, d engine.Decision) Decision {
	s := Decision{
		Time: d.Time.UTC(), Trigger: trigger,
		Event:   Event{Source: d.Event.Source, Type: d.Event.Type, Cluster: d.Event.Cluster, Key: d.Event.Key, ID: d.Event.ID},
		Outcome: d.Outcome, Reason: d.Reason, Path: d.Path, Action: d.Action, Attempt: d.Attempt,
		RetryIn: d.RetryIn.Seconds(), Duration: d.Duration.Seconds(), Age: d.Age.Seconds(),
	}
	if d.Err != nil {
		s.Error = d.Err.Error()
	}
	return s
}

// ServeHTTP answers with {"decisions": […]}, newest first. The query may name a
// trigger and a key.
func (r *DecisionLog) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	query := req.URL.Query()
	w.Header().Set("Content-Type", "application/json")
	body := map[string][]Decision{"decisions": r.Recent(query.Get("trigger"), query.Get("key"))}
	// Whoever does not read to the end knows that.
	_ = json.NewEncoder(w).Encode(body)
}
