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

// gracePeriod is what an action gets past its timeout before it counts as hung.
const gracePeriod = 2 * time.Second

// hangDetector observes one attempt, so that one which does not stop at its timeout
// is noticed while it runs.
type hangDetector struct {
	r     *runner
	task  *task
	start time.Time

	// mu is held for as long as a verdict on the attempt is passed on, so that
	// they stay in order. The runner's lock may be taken within.
	mu       sync.Mutex
	timer    clock.Timer
	returned bool
	hung     bool
}

// startAttempt counts an attempt of j and watches over it.
func (r *runner) startAttempt(j *task) *hangDetector {
	w := &hangDetector{r: r, task: j, start: r.clock.Now()}
	r.mu.Lock()
	j.attempts++
	j.last = w.start
	if j.first.IsZero() {
		j.first = w.start
	}
	r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = after(r.clock, r.trigger.Policy.Timeout+gracePeriod, w.overdue)
	return w
}

// end says that the action has returned. It returns the attempts that were
// used up, and whether that leaves anything to decide about the event.
func (w *hangDetector) end() (attempts int, inTime bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.returned = true
	w.timer.Stop()
	if w.hung {
		w.r.addHung(-1)
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.task.attempts, !w.task.settled
}

// overdue counts an attempt that has not returned as failed. It uses up the
// next one as well, or the event is given up.
func (w *hangDetector) overdue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.returned {
		return
	}
	f, outcome := w.countOverdue()
	switch outcome {
	case DeadLettered:
		w.hung = true
		w.r.deadLetter(w.task, f, ReasonHung)
		w.r.addHung(1)
	case Failed:
		d := w.r.newDecision(w.task.event(), Failed, ReasonHung)
		d.Err, d.Attempt, d.Duration = f.Err, f.Attempts, d.Time.Sub(w.start)
		w.r.report.decision(d)
		w.timer = after(w.r.clock, w.r.trigger.Policy.Timeout, w.overdue)
	}
}

// countOverdue returns the attempts so far, and what follows from them. That
// is nothing where the engine stops: it waits for what runs.
func (w *hangDetector) countOverdue() (f failure, outcome Outcome) {
	r, j := w.r, w.task
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.settled || r.closed {
		return f, Requeued
	}
	f = j.failure(r.trigger.TriggerRef, fmt.Errorf("%w, and does not stop", r.timedOut))
	if f.Attempts-j.priorAttempts > *r.trigger.Policy.Retry.Limit {
		return f, DeadLettered
	}
	j.attempts++
	return f, Failed
}
