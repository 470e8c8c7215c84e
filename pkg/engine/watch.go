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

// overstay is what an action gets past its timeout before it counts as hung.
const overstay = 2 * time.Second

// watch observes one attempt, so that one which does not stop at its timeout
// is noticed while it runs.
type watch struct {
	r     *runner
	j     *job
	start time.Time

	// mu is held for as long as a verdict on the attempt is passed on, so that
	// they stay in order. The runner's lock may be taken within.
	mu       sync.Mutex
	timer    clock.Timer
	returned bool
	hung     bool
}

// begin counts an attempt of j and watches over it.
func (r *runner) begin(j *job) *watch {
	w := &watch{r: r, j: j, start: r.clock.Now()}
	r.mu.Lock()
	j.attempts++
	j.last = w.start
	if j.first.IsZero() {
		j.first = w.start
	}
	r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = after(r.clock, r.trigger.Policy.Timeout+overstay, w.overdue)
	return w
}

// end says that the action has returned. It returns the attempts that were
// used up, and whether that leaves anything to decide about the event.
func (w *watch) end() (attempts int, inTime bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.returned = true
	w.timer.Stop()
	if w.hung {
		w.r.hang(-1)
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.j.attempts, !w.j.settled
}

// overdue counts an attempt that has not returned as failed. It uses up the
// next one as well, or the event is given up.
func (w *watch) overdue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.returned {
		return
	}
	f, verdict := w.countOverdue()
	switch verdict {
	case GivenUp:
		w.hung = true
		w.r.giveUp(w.j, f, ReasonHung)
		w.r.hang(1)
	case Failed:
		d := w.r.decide(w.j.event(), Failed, ReasonHung)
		d.Err, d.Attempt, d.Duration = f.Err, f.Attempts, d.Time.Sub(w.start)
		w.r.report.decision(d)
		w.timer = after(w.r.clock, w.r.trigger.Policy.Timeout, w.overdue)
	}
}

// countOverdue returns the attempts so far, and what follows from them. That
// is nothing where the engine stops: it waits for what runs.
func (w *watch) countOverdue() (f Failure, verdict Outcome) {
	r, j := w.r, w.j
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.settled || r.closed {
		return f, Returned
	}
	f = j.failure(r.trigger.Trigger, fmt.Errorf("%w, and does not stop", r.timedOut))
	if f.Attempts-j.before > *r.trigger.Policy.Retry.Limit {
		return f, GivenUp
	}
	j.attempts++
	return f, Failed
}
