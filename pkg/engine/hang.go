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
	task  *Task
	start time.Time

	// mu is held while a decision about the attempt is reported, to keep
	// decisions in order.
	mu       sync.Mutex
	timer    clock.Timer
	returned bool
	hung     bool
}

// startAttempt counts an attempt of t and starts its hang detector.
func (t *Task) startAttempt() *hangDetector {
	h := &hangDetector{task: t, start: t.runner.clock.Now()}
	t.mu.Lock()
	t.attempts.total++
	t.attempts.step++
	t.attempts.last = h.start
	if t.attempts.first.IsZero() {
		t.attempts.first = h.start
	}
	t.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = after(t.runner.clock, &t.runner.active, t.policy().Timeout+gracePeriod, h.overdue)
	return h
}

// setStepAttempts sets the number of attempts of the current step.
func (t *Task) setStepAttempts(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempts.step = n
}

// end stops the detector when the action has returned. It returns the attempts so
// far, and false for inTime if the event is already settled.
func (h *hangDetector) end() (made attempts, inTime bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.returned = true
	h.timer.Stop()
	if h.hung {
		h.task.runner.changeQuarantine(0, -1)
	}
	h.task.mu.Lock()
	defer h.task.mu.Unlock()
	return h.task.attempts, !h.task.isSettled
}

// overdue counts a running attempt as failed. A hung attempt uses up the next
// attempt too; after the last one, the event is dead-lettered. While the engine
// stops, it waits for running actions.
func (h *hangDetector) overdue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	t, r := h.task, h.task.runner
	if h.returned || r.queue.isClosed() {
		return
	}
	err := fmt.Errorf("%w, and is still running", timeoutError{t.policy().Timeout})
	made := t.attempted()
	if made.step > *t.policy().Retry.Limit {
		h.hung = true
		r.deadLetters.add(t, DeadLetter(ReasonHung, err))
		r.changeQuarantine(0, 1)
		return
	}
	t.mu.Lock()
	t.attempts.total++
	t.attempts.step++
	t.mu.Unlock()
	d := r.newDecision(t.Event(), Failed, ReasonHung)
	d.Err, d.Attempt, d.Duration = err, made.total, d.Time.Sub(h.start)
	r.report.decision(d)
	h.timer = after(r.clock, &r.active, t.policy().Timeout, h.overdue)
}
