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

	// The runner's lock guards what follows.

	timer    clock.Timer
	returned bool
}

// begin counts an attempt of j and watches over it.
func (r *runner) begin(j *job) *watch {
	w := &watch{r: r, j: j, start: r.clock.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	j.attempts++
	j.last = w.start
	if j.first.IsZero() {
		j.first = w.start
	}
	w.timer = after(r.clock, r.trigger.Policy.Timeout+overstay, w.overdue)
	return w
}

// end says that the action has returned. It returns the attempts that were
// used up, and whether that leaves anything to decide about the event.
func (w *watch) end() (attempts int, inTime bool) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	w.returned = true
	w.timer.Stop()
	return w.j.attempts, !w.j.settled
}

// overdue counts an attempt that has not returned as failed. It uses up the
// next one as well, or the event is given up.
func (w *watch) overdue() {
	r, j := w.r, w.j
	r.mu.Lock()
	if w.returned || j.settled || r.closed {
		r.mu.Unlock()
		return
	}
	err := fmt.Errorf("%w, and does not stop", r.timedOut)
	d := r.decide(j.event(), Failed, ReasonHung)
	d.Err, d.Attempt, d.Duration = err, j.attempts, d.Time.Sub(w.start)
	f := j.failure(r.trigger.Trigger, err)
	last := j.attempts > *r.trigger.Policy.Retry.Limit
	if last {
		j.settled = true
	} else {
		j.attempts++
		w.timer = after(r.clock, r.trigger.Policy.Timeout, w.overdue)
	}
	r.verdicts++
	r.mu.Unlock()

	if last {
		r.giveUp(f, ReasonHung)
		r.release(j)
	} else {
		r.report.decision(d)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.verdicts--
	r.checkDrained()
}
