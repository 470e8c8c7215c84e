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

package simulation

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// maxCauses is the number of distinct causes of a trigger that are counted; others are
// counted together.
const maxCauses = 1000

// stats counts the decisions of a trigger. It is safe for concurrent use.
type stats struct {
	// managers are the triggers of the configuration by their field managers.
	managers map[string]event.TriggerRef
	forward  func(engine.Decision)

	mu     sync.Mutex
	events int
	// counts has the number of decisions by outcome, filtered, suppressed and failed those by
	// cause.
	counts                       map[engine.Outcome]int
	filtered, suppressed, failed map[Cause]int
	// objects has the number of actions of each object, and minutes that of each minute.
	objects map[string]int
	minutes map[int64]int
	// writer is the trigger that wrote the event that is delivered; zero for others. fedBy
	// counts the actions on events of each.
	writer event.TriggerRef
	fedBy  map[event.TriggerRef]int
}

// Cause is why a trigger did not act. Path is the field that a filter decided by.
type Cause struct {
	Reason string `json:"reason"`
	Path   string `json:"path,omitempty"`
}

func newStats(managers map[string]event.TriggerRef, forward func(engine.Decision)) *stats {
	return &stats{
		managers: managers, forward: forward, counts: map[engine.Outcome]int{}, filtered: map[Cause]int{},
		suppressed: map[Cause]int{}, failed: map[Cause]int{}, objects: map[string]int{}, minutes: map[int64]int{},
		fedBy: map[event.TriggerRef]int{},
	}
}

// begin counts an event, which is delivered next.
func (s *stats) begin(o source.Occurrence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	s.writer = s.managers[o.Delivery.Writer]
}

// Observe implements engine.Observer.
func (s *stats) Observe(d engine.Decision) {
	s.forward(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[d.Outcome]++
	switch d.Outcome {
	case engine.Filtered:
		count(s.filtered, Cause{Reason: d.Reason, Path: d.Path})
	case engine.Suppressed:
		count(s.suppressed, Cause{Reason: d.Reason})
	case engine.DeadLettered:
		reason := d.Reason
		if d.Err != nil {
			reason += ": " + d.Err.Error()
		}
		count(s.failed, Cause{Reason: reason})
	case engine.Matched:
		if s.writer != (event.TriggerRef{}) {
			s.fedBy[s.writer]++
		}
	case engine.Succeeded:
		s.objects[object(d)]++
		s.minutes[d.Time.Unix()/60]++
	}
}

// object returns the object of a decision, with its cluster.
func object(d engine.Decision) string {
	return event.Event{Cluster: d.Event.Cluster, Key: d.Event.Key}.OrderingKey()
}

// count counts a cause.
func count(counts map[Cause]int, c Cause) {
	if _, ok := counts[c]; !ok && len(counts) >= maxCauses {
		c = Cause{Reason: "other reasons"}
	}
	counts[c]++
}

// ObserveSource implements engine.Observer.
func (*stats) ObserveSource(engine.SourceFailure) {}

// ObserveDeadLetter implements engine.Observer.
func (*stats) ObserveDeadLetter(engine.DeadLetterResult) {}

// busiest returns the minute with the most actions; the first one of several.
func (s *stats) busiest() (at time.Time, actions int) {
	for minute, n := range s.minutes {
		if start := time.Unix(60*minute, 0).UTC(); n > actions || n == actions && start.Before(at) {
			at, actions = start, n
		}
	}
	return at, actions
}

// top returns the causes with their counts, the most frequent first.
func top(counts map[Cause]int) []CauseCount {
	all := make([]CauseCount, 0, len(counts))
	for c, n := range counts {
		all = append(all, CauseCount{c, n})
	}
	slices.SortFunc(all, func(a, b CauseCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Path, b.Path))
	})
	return all[:min(len(all), maxListed)]
}

// topObjects returns the objects with the most actions.
func topObjects(objects map[string]int) []ObjectCount {
	keys := slices.SortedFunc(maps.Keys(objects), func(a, b string) int {
		return cmp.Or(cmp.Compare(objects[b], objects[a]), cmp.Compare(a, b))
	})
	var all []ObjectCount
	for _, key := range keys[:min(len(keys), maxListed)] {
		all = append(all, ObjectCount{key, objects[key]})
	}
	return all
}
