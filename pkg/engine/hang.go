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

package engine

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// gracePeriod is how long an action may run past its timeout before it counts as
// hung.
const gracePeriod = 2 * time.Second

// hangDetector watches one attempt of an action, and reports the attempt while it
// still runs if it ignores its timeout.
type hangDetector struct {
	r     *runner
	task  *task
	start time.Time

	// mu is held while a decision about the attempt is reported, to keep
	// decisions in order. It may be held when the runner's lock is acquired.
	mu       sync.Mutex
	timer    clock.Timer
	returned bool
	hung     bool
}

// startAttempt counts an attempt of t and starts its hang detector.
func (r *runner) startAttempt(t *task) *hangDetector {
	h := &hangDetector{r: r, task: t, start: r.clock.Now()}
	r.mu.Lock()
	t.attempts++
	t.last = h.start
	if t.first.IsZero() {
		t.first = h.start
	}
	r.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = after(r.clock, r.trigger.Policy.Timeout+gracePeriod, h.overdue)
	return h
}

// end stops the detector when the action has returned. It returns the number of
// attempts, and false for inTime if the event is already settled.
func (h *hangDetector) end() (attempts int, inTime bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.returned = true
	h.timer.Stop()
	if h.hung {
		h.r.addHung(-1)
	}
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	return h.task.attempts, !h.task.settled
}

// overdue counts a running attempt as failed. A hung attempt uses up the next
// attempt too; after the last one, the event is dead-lettered.
func (h *hangDetector) overdue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.returned {
		return
	}
	f, outcome := h.countOverdue()
	switch outcome {
	case DeadLettered:
		h.hung = true
		h.r.deadLetter(h.task, f, ReasonHung)
		h.r.addHung(1)
	case Failed:
		d := h.r.newDecision(h.task.event(), Failed, ReasonHung)
		d.Err, d.Attempt, d.Duration = f.Err, f.Attempts, d.Time.Sub(h.start)
		h.r.report.decision(d)
		h.timer = after(h.r.clock, h.r.trigger.Policy.Timeout, h.overdue)
	}
}

// countOverdue returns the failure and its outcome. The outcome is Requeued if
// the engine is stopping, which waits for running actions.
func (h *hangDetector) countOverdue() (f failure, outcome Outcome) {
	r, t := h.r, h.task
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.settled || r.closed {
		return f, Requeued
	}
	f = t.failure(r.trigger.TriggerRef, fmt.Errorf("%w, and is still running", r.timedOut))
	if f.Attempts-t.priorAttempts > *r.trigger.Policy.Retry.Limit {
		return f, DeadLettered
	}
	t.attempts++
	return f, Failed
}
