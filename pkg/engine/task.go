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
	"sync"
	"sync/atomic"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// delivery is one event, as it was delivered or read again. It is not modified.
type delivery struct {
	event   event.Event
	options source.Delivery
	*ack
	// size is the size of the event's data, if the source can read it again, and kept
	// that of what stays in memory while the event waits, in bytes.
	size, kept int64
	// unloaded is true if the event has no data but what identifies its object.
	unloaded bool
}

// ack counts the triggers that are not done with an event. It keeps no reference
// to the event.
type ack struct {
	done    func()
	pending atomic.Int32
}

// complete counts one trigger as done. The last one acknowledges the event.
func (a *ack) complete() {
	if a.pending.Add(-1) == 0 {
		a.done()
	}
}

// Task is one event at one trigger.
type Task struct {
	runner *runner
	// received is when the source received the event.
	received time.Time
	// next is the task behind this one in its key queue, and key that queue. The
	// queue's lock guards them.
	next *Task
	key  *keyQueue
	// queuedAt is zero without debouncing.
	queuedAt time.Time
	// rejected is true if the queue of a quarantined trigger had no slot for it.
	rejected bool

	// The following fields belong to the worker that runs the key queue.

	// stage is the index of the stage to continue with.
	stage int
	// absorbed are the acks of the events that were merged into the event.
	absorbed []*ack
	// reloads counts the failed attempts to read the event's data again.
	reloads int
	// external is true if at least one of the merged events was not caused by the
	// trigger.
	external bool
	// notBefore is the earliest time of the next attempt under the rate limit;
	// zero if none is reserved.
	notBefore time.Time
	execution *execution
	// contested is true once the event waited because its object is contested.
	contested bool
	// circle is set while the trigger acts on the event, and heldBy to the pause in
	// which the event waits.
	circle *circle
	heldBy *circlePause

	// delivery is replaced by the worker only: after debouncing, and when the event's
	// data is dropped or read again.
	delivery atomic.Pointer[delivery]
	// held is the number of bytes of the budget that the task holds, and exceeding is
	// true if they exceed the trigger's limit.
	held      int64
	exceeding bool

	// mu guards the following fields.
	mu sync.Mutex
	// isSettled is set exactly once, when the outcome of the event is decided.
	isSettled bool
	attempts  attempts
}

// attempts counts the runs of the actions.
type attempts struct {
	// total is the number of runs of all steps, step that of the current step.
	total, step int
	// first and last are the start times of the first and the last one.
	first, last time.Time
}

// Event returns the event, which must not be modified.
func (t *Task) Event() *event.Event { return &t.delivery.Load().event }

// Writer returns the field manager of the last write of the event's object; empty
// if it is unknown.
func (t *Task) Writer() string { return t.delivery.Load().options.Writer }

// settle decides the outcome. It returns false if it is already decided.
func (t *Task) settle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isSettled {
		return false
	}
	t.isSettled = true
	return true
}

// settled reports whether the outcome is decided.
func (t *Task) settled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isSettled
}

// attempted returns the attempts so far.
func (t *Task) attempted() attempts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.attempts
}

// complete acknowledges the task's event and those that were merged into it.
func (t *Task) complete() {
	for _, a := range t.absorbed {
		a.complete()
	}
	t.delivery.Load().complete()
}

func (t *Task) policy() *Policy { return &t.runner.trigger.Policy }
