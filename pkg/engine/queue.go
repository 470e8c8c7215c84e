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
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// delivery is one event and its tasks, one for each subscribed trigger.
type delivery struct {
	event   event.Event
	options source.Delivery
	*ack
	tasks []task
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

// task is one event at one trigger.
type task struct {
	delivery *delivery
	runner   *runner
	// next is the task behind this one in its key queue.
	next *task

	// The following fields belong to the worker that runs the key queue.

	// stage is the index of the stage to continue with.
	stage int
	// merged replaces the delivery's event after debouncing, and writer is then the
	// writer of the last event; absorbed are the acks of the events that were merged
	// into it.
	merged   *event.Event
	writer   string
	absorbed []*ack
	// external is true if at least one of the merged events was not caused by the
	// trigger.
	external bool
	// notBefore is the earliest time of the next attempt under the rate limit;
	// zero if none is reserved.
	notBefore time.Time
	// journal records the calls that succeeded, so that a retry does not repeat
	// them. It is set at the first attempt.
	journal *action.Journal

	// The runner's lock guards the following fields.

	queue *keyQueue
	// rejected is true if the queue of a quarantined trigger had no slot for it.
	rejected bool
	// queuedAt is zero without debouncing.
	queuedAt time.Time
	// settled is set exactly once, when the outcome of the event is decided.
	settled bool
	// attempts is the number of runs of the action; first and last are the start
	// times of the first and the last one.
	attempts    int
	first, last time.Time
	// failedStep is the step of a sequence of actions that failed last;
	// priorAttempts is the number of attempts before that step first ran.
	failedStep, priorAttempts int
}

func (t *task) event() *event.Event {
	if t.merged != nil {
		return t.merged
	}
	return &t.delivery.event
}

// lastWriter returns the writer of the task's event.
func (t *task) lastWriter() string {
	if t.merged != nil {
		return t.writer
	}
	return t.delivery.options.Writer
}

// complete acknowledges the task's event and those that were merged into it.
func (t *task) complete() {
	for _, a := range t.absorbed {
		a.complete()
	}
	t.delivery.complete()
}

// keyQueue holds the tasks of one key, in order of delivery. At most one worker
// runs it at a time. It is removed when it is empty. The runner's lock guards it.
type keyQueue struct {
	key        string
	head, tail *task
	// next is the key queue behind this one in the ready queue.
	next *keyQueue
	// running is true while a worker handles the head.
	running bool
	// timer is set while the queue waits for a retry or a window. Each wait has
	// its own waitID.
	timer  clock.Timer
	waitID int
	// absorbing is true while it waits for events to merge; pending counts those
	// that were pushed meanwhile.
	absorbing bool
	pending   int
}

func (q *keyQueue) push(t *task) {
	t.queue = q
	if q.head == nil {
		q.head = t
	} else {
		q.tail.next = t
	}
	q.tail = t
}

// pop removes the head. It unlinks the removed task, because a delivery may keep
// it alive, and with it all tasks behind it.
func (q *keyQueue) pop() {
	q.head, q.head.next = q.head.next, nil
}

// readyQueue is a FIFO queue of the key queues that wait for a worker.
type readyQueue struct {
	head, tail *keyQueue
}

func (r *readyQueue) push(q *keyQueue) {
	if r.head == nil {
		r.head = q
	} else {
		r.tail.next = q
	}
	r.tail = q
}

// pop returns the first key queue, or nil if there is none.
func (r *readyQueue) pop() *keyQueue {
	q := r.head
	if q != nil {
		r.head, q.next = q.next, nil
	}
	return q
}
