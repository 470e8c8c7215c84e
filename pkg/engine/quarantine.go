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
	Trigger event.Trigger
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
	j     *job
	start time.Time

	// mu is held for as long as a verdict on the evaluation is passed on. The
	// runner's lock may be taken within.
	mu       sync.Mutex
	timer    clock.Timer
	testify  func()
	returned bool
	overran  bool
}

func (r *runner) evaluate(j *job) *evaluation {
	e := &evaluation{r: r, j: j, start: r.clock.Now(), testify: func() {}}
	if r.trigger.Witness != nil {
		e.testify = r.trigger.Witness.Begin(j.event().ID)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timer = after(r.clock, EvaluationLimit/2, e.linger)
	return e
}

// linger awaits the second half of the limit. Where the whole process stood
// still, which one evaluation can bring about by what memory it takes, the first
// half has passed at once; those that had no part in it end in the second.
func (e *evaluation) linger() {
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
	if e.returned || !e.r.enterQuarantine() {
		return
	}
	e.overran = true
	f := e.j.failure(e.r.trigger.Trigger, errOverrun)
	f.First, f.Last = e.start, e.start
	e.r.giveUp(e.j, f, ReasonQuarantined)
}

// end says that the filter has returned, and reports whether that was in time.
func (e *evaluation) end() (inTime bool) {
	e.testify()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.returned = true
	e.timer.Stop()
	if e.overran {
		e.r.leaveQuarantine()
	}
	return !e.overran
}

// enterQuarantine notes one more evaluation that overruns, unless the engine
// stops.
func (r *runner) enterQuarantine() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.overruns++
	r.quarantine()
	return true
}

func (r *runner) leaveQuarantine() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.overruns--
	r.quarantine()
}

// hang notes that an action which was given up holds a worker, or no longer
// does.
func (r *runner) hang(by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung += by
	r.quarantine()
}

// quarantine begins or ends the quarantine, where that is due. The lock is held.
func (r *runner) quarantine() {
	due := r.overruns > 0 || r.hung >= r.trigger.Policy.Concurrency
	switch {
	case due && r.quarantined.IsZero():
		r.quarantined = r.clock.Now()
		close(r.barred)
		r.report.quarantine(r.trigger.Trigger, true)
	case !due && !r.quarantined.IsZero():
		r.quarantined = time.Time{}
		r.barred = make(chan struct{})
		r.report.quarantine(r.trigger.Trigger, false)
		for !r.closed && r.ready.head != nil && r.workers < r.trigger.Policy.Concurrency {
			r.workers++
			go r.spawn()
		}
	}
}

// refuse gives up an event for which a quarantined trigger has no room.
func (r *runner) refuse(j *job) {
	f := j.failure(r.trigger.Trigger, errQuarantined)
	f.First, f.Last = r.clock.Now(), r.clock.Now()
	r.giveUp(j, f, ReasonQuarantined)
}
