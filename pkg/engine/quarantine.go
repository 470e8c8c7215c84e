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
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// EvaluationLimit is the maximum duration of one evaluation of a filter.
const EvaluationLimit = 2 * time.Second

// Quarantine reports that a trigger handles no events, because an evaluation of
// its CUE or its actions hang.
type Quarantine struct {
	Trigger event.TriggerRef
	Since   time.Time
	// Evaluation is true if an evaluation of CUE hangs. Only the end of the
	// process can end it.
	Evaluation bool
}

var errOverrun = fmt.Errorf("evaluation takes longer than %s", EvaluationLimit)

// errQuarantined is the error of an event that does not fit into the queue of a
// quarantined trigger.
var errQuarantined = errors.New("the trigger is quarantined, and its queue is full")

// evaluation watches one evaluation of a filter.
type evaluation struct {
	r     *runner
	task  *task
	start time.Time

	// mu is held while a decision about the evaluation is reported. It may be
	// held when the runner's lock is acquired.
	mu            sync.Mutex
	timer         clock.Timer
	endEvaluation func()
	returned      bool
	overran       bool
}

func (r *runner) startEvaluation(t *task) *evaluation {
	e := &evaluation{r: r, task: t, start: r.clock.Now(), endEvaluation: func() {}}
	if r.trigger.CrashTracker != nil {
		e.endEvaluation = r.trigger.CrashTracker.Begin(t.event().ID)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timer = after(r.clock, EvaluationLimit/2, e.extendDeadline)
	return e
}

// extendDeadline starts the second half of the limit. If the whole process was
// paused, for example because another evaluation used up the memory, the first
// half has passed without progress, and innocent evaluations finish in the second
// half.
func (e *evaluation) extendDeadline() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.returned {
		e.timer = after(e.r.clock, EvaluationLimit-EvaluationLimit/2, e.overrun)
	}
}

// overrun dead-letters the event and quarantines the trigger.
func (e *evaluation) overrun() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.returned || !e.r.addOverrun() {
		return
	}
	e.overran = true
	f := e.task.failure(e.r.trigger.TriggerRef, errOverrun)
	f.First, f.Last = e.start, e.start
	e.r.deadLetter(e.task, f, ReasonQuarantined)
}

// end stops the timer when the filter has returned. inTime is false if the event
// was dead-lettered meanwhile.
func (e *evaluation) end() (inTime bool) {
	e.endEvaluation()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.returned = true
	e.timer.Stop()
	if e.overran {
		e.r.removeOverrun()
	}
	return !e.overran
}

// addOverrun counts an evaluation that exceeds the limit. It reports false, and
// does nothing, if the runner is closed.
func (r *runner) addOverrun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.overruns++
	r.updateQuarantine()
	return true
}

func (r *runner) removeOverrun() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.overruns--
	r.updateQuarantine()
}

// addHung changes the number of workers that dead-lettered actions still hold.
func (r *runner) addHung(delta int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung += delta
	r.updateQuarantine()
}

// updateQuarantine starts or ends the quarantine as the counts require. The lock
// is held.
func (r *runner) updateQuarantine() {
	due := r.overruns > 0 || r.hung >= r.trigger.Policy.Concurrency
	switch {
	case due && r.quarantinedSince.IsZero():
		r.quarantinedSince = r.clock.Now()
		close(r.rejecting)
		r.report.quarantine(r.trigger.TriggerRef, true)
	case !due && !r.quarantinedSince.IsZero():
		r.quarantinedSince = time.Time{}
		r.rejecting = make(chan struct{})
		r.report.quarantine(r.trigger.TriggerRef, false)
		for !r.closed && r.ready.head != nil && r.workers < r.trigger.Policy.Concurrency {
			r.workers++
			go r.runWorker()
		}
	}
}

// reject dead-letters an event that does not fit into the queue of a quarantined
// trigger.
func (r *runner) reject(t *task) {
	f := t.failure(r.trigger.TriggerRef, errQuarantined)
	f.First, f.Last = r.clock.Now(), r.clock.Now()
	r.deadLetter(t, f, ReasonQuarantined)
}
