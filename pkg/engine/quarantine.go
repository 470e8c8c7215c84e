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

// EvaluationLimit is how long a filter may take to evaluate.
const EvaluationLimit = 2 * time.Second

// Quarantine says that a trigger handles no events, because some of its CUE or
// an action does not end.
type Quarantine struct {
	Trigger event.TriggerRef
	Since   time.Time
	// Evaluation is whether CUE is what does not end. Nothing but the end of the
	// process can end it then.
	Evaluation bool
}

var errOverrun = fmt.Errorf("evaluation takes longer than %s", EvaluationLimit)

// errQuarantined is why an event finds no room in a quarantined trigger.
var errQuarantined = errors.New("the trigger is quarantined, and its queue is full")

// evaluation observes one evaluation of a filter.
type evaluation struct {
	r     *runner
	task  *task
	start time.Time

	// mu is held for as long as a verdict on the evaluation is passed on. The
	// runner's lock may be taken within.
	mu            sync.Mutex
	timer         clock.Timer
	endEvaluation func()
	returned      bool
	overran       bool
}

func (r *runner) startEvaluation(j *task) *evaluation {
	e := &evaluation{r: r, task: j, start: r.clock.Now(), endEvaluation: func() {}}
	if r.trigger.CrashTracker != nil {
		e.endEvaluation = r.trigger.CrashTracker.Begin(j.event().ID)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timer = after(r.clock, EvaluationLimit/2, e.extendDeadline)
	return e
}

// extendDeadline awaits the second half of the limit. Where the whole process stood
// still, which one evaluation can bring about by what memory it takes, the first
// half has passed at once; those that had no part in it end in the second.
func (e *evaluation) extendDeadline() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.returned {
		e.timer = after(e.r.clock, EvaluationLimit-EvaluationLimit/2, e.overrun)
	}
}

// overrun gives up the event, and quarantines the trigger.
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

// end says that the filter has returned, and reports whether that was in time.
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

// addOverrun notes one more evaluation that overruns, unless the engine
// stops.
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

// addHung notes that an action which was given up holds a worker, or no longer
// does.
func (r *runner) addHung(delta int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung += delta
	r.updateQuarantine()
}

// updateQuarantine begins or ends the quarantine, where that is due. The lock is held.
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

// reject gives up an event for which a quarantined trigger has no room.
func (r *runner) reject(j *task) {
	f := j.failure(r.trigger.TriggerRef, errQuarantined)
	f.First, f.Last = r.clock.Now(), r.clock.Now()
	r.deadLetter(j, f, ReasonQuarantined)
}
