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
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Quarantine reports that a trigger handles no events, because an evaluation of
// its CUE or its actions hang.
type Quarantine struct {
	Trigger event.TriggerRef
	Since   time.Time
	// Evaluation is true if an evaluation of CUE hangs. Only the end of the
	// process can end it.
	Evaluation bool
	// Crashed is true if an evaluation of CUE has crashed the process. Only a change
	// of the trigger lifts the quarantine. Then Evaluation is false.
	Crashed bool
}

// errQuarantined is the error of an event that does not fit into the queue of a
// quarantined trigger.
var errQuarantined = errors.New("the trigger is quarantined, and its queue is full")

// quarantine is the state of a trigger's quarantine. It is safe for concurrent use.
type quarantine struct {
	mu sync.Mutex
	// overruns is the number of evaluations that exceed the limit, hung the
	// number of dead-lettered actions that still run.
	overruns, hung int
	// since is zero if the trigger is not quarantined.
	since time.Time
}

// state returns the quarantine of the trigger, and whether there is one.
func (q *quarantine) state(t event.TriggerRef) (Quarantine, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Quarantine{Trigger: t, Since: q.since, Evaluation: q.overruns > 0}, !q.since.IsZero()
}

// changeQuarantine changes the counts, and starts or ends the quarantine as they
// require.
func (r *runner) changeQuarantine(overruns, hung int) {
	q := &r.quarantine
	q.mu.Lock()
	defer q.mu.Unlock()
	q.overruns += overruns
	q.hung += hung
	due := q.overruns > 0 || q.hung >= r.trigger.Policy.Concurrency
	if due == !q.since.IsZero() {
		return
	}
	q.since = time.Time{}
	if due {
		q.since = r.clock.Now()
	}
	r.slots.setRejecting(due)
	r.queue.setPaused(due)
	r.report.quarantine(r.trigger.TriggerRef, due)
}

// reject dead-letters an event that does not fit into the queue of a quarantined
// trigger.
func (r *runner) reject(t *Task) {
	r.deadLetters.add(t, DeadLetter(ReasonQuarantined, errQuarantined))
}
