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
	"github.com/kubevela/kube-trigger/pkg/ring"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// MaxDecisions is the number of decisions that are kept for each trigger.
const MaxDecisions = 100

// DecisionLog keeps the latest decisions of each trigger, without those for
// events of types that the trigger did not subscribe to. The limit applies to
// each trigger, so that a busy trigger does not displace the decisions of
// another. The zero value is ready for use. It is safe for concurrent use.
type DecisionLog struct {
	// Service is the TriggerService of the triggers; empty for those of a configuration.
	Service string

	mu        sync.Mutex
	byTrigger map[event.TriggerRef]*ring.Buffer[engine.Decision]
}

var _ engine.Observer = (*DecisionLog)(nil)

// Observe implements engine.Observer.
func (l *DecisionLog) Observe(d engine.Decision) {
	if d.Reason == string(source.NotSubscribed) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byTrigger == nil {
		l.byTrigger = map[event.TriggerRef]*ring.Buffer[engine.Decision]{}
	}
	buffer := l.byTrigger[d.Trigger]
	if buffer == nil {
		buffer = &ring.Buffer[engine.Decision]{}
		l.byTrigger[d.Trigger] = buffer
	}
	buffer.Add(d, MaxDecisions)
}

// ObserveSource implements engine.Observer. Failures of sources are not decisions.
func (*DecisionLog) ObserveSource(engine.SourceFailure) {}

// ObserveDeadLetter implements engine.Observer. Results of the store are not decisions.
func (*DecisionLog) ObserveDeadLetter(engine.DeadLetterResult) {}

// Retain removes the decisions of all other triggers.
func (l *DecisionLog) Retain(triggers []event.TriggerRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := range l.byTrigger {
		if !slices.Contains(triggers, t) {
			delete(l.byTrigger, t)
		}
	}
}

// Decision is the JSON form of an engine.Decision. Durations are in seconds.
type Decision struct {
	Time     time.Time      `json:"time"`
	Service  string         `json:"triggerService,omitempty"`
	Trigger  string         `json:"trigger"`
	Event    Event          `json:"event"`
	Outcome  engine.Outcome `json:"outcome"`
	Reason   string         `json:"reason,omitempty"`
	Path     string         `json:"path,omitempty"`
	Action   string         `json:"action,omitempty"`
	Error    string         `json:"error,omitempty"`
	Attempt  int            `json:"attempt,omitempty"`
	RetryIn  float64        `json:"retryInSeconds,omitempty"`
	Duration float64        `json:"tookSeconds,omitempty"`
	Age      float64        `json:"ageSeconds"`
	Warnings []string       `json:"warnings,omitempty"`
}

// Event identifies the event of a decision.
type Event struct {
	Source  string `json:"source"`
	Type    string `json:"type"`
	Cluster string `json:"cluster,omitempty"`
	Key     string `json:"key"`
	ID      string `json:"id"`
	// Fired is true if the event was fired by hand.
	Fired bool `json:"fired,omitempty"`
}

// Recent returns the decisions of a trigger about the events of a key, newest
// first. trigger is in the form of event.TriggerRef.String. An empty trigger or
// key matches all. describe returns the text of an error, such as DescribeError.
func (l *DecisionLog) Recent(trigger, key string, describe func(error) string) []Decision {
	recent := []Decision{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for t, buffer := range l.byTrigger {
		name := t.String()
		if trigger != "" && trigger != name {
			continue
		}
		for d := range buffer.All() {
			if key == "" || key == d.Event.Key {
				recent = append(recent, newDecision(l.Service, name, d, describe))
			}
		}
	}
	slices.Reverse(recent)
	slices.SortStableFunc(recent, newestFirst)
	return recent
}

func newestFirst(a, b Decision) int {
	return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Trigger, b.Trigger))
}

func newDecision(service, trigger string, d engine.Decision, describe func(error) string) Decision {
	out := Decision{
		Time: d.Time.UTC(), Service: service, Trigger: trigger,
		Event:   Event{Source: d.Event.Source, Type: d.Event.Type, Cluster: d.Event.Cluster, Key: d.Event.Key, ID: d.Event.ID, Fired: event.Event{ID: d.Event.ID}.Fired()},
		Outcome: d.Outcome, Reason: d.Reason, Path: d.Path, Action: d.Action, Attempt: d.Attempt,
		RetryIn: d.RetryIn.Seconds(), Duration: d.Duration.Seconds(), Age: d.Age.Seconds(), Warnings: d.Warnings,
	}
	if d.Err != nil {
		out.Error = describe(d.Err)
	}
	return out
}

// DecisionHandler responds with {"decisions": […]} of the logs that logs returns, newest
// first, with errors as describe returns them. The query parameters triggerService, trigger and
// key filter the list.
func DecisionHandler(describe func(error) string, logs func() []*DecisionLog) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		query := req.URL.Query()
		recent := []Decision{}
		for _, l := range logs() {
			if service := query.Get("triggerService"); service == "" || service == l.Service {
				recent = append(recent, l.Recent(query.Get("trigger"), query.Get("key"), describe)...)
			}
		}
		slices.SortStableFunc(recent, newestFirst)
		w.Header().Set("Content-Type", "application/json")
		// An error means that the client has disconnected.
		_ = json.NewEncoder(w).Encode(map[string][]Decision{"decisions": recent})
	})
}
