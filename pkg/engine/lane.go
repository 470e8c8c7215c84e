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
)

// delivery is an event on its way through all triggers that want it.
type delivery struct {
	event event.Event
	*ack
	tasks []task
}

// ack counts the triggers that are not done with an event. It holds nothing
// of the event.
type ack struct {
	done    func()
	pending atomic.Int32
}

// complete says that one more trigger is done with the event.
func (t *ack) complete() {
	if t.pending.Add(-1) == 0 {
		t.done()
	}
}

// task is an event on its way through one trigger.
type task struct {
	delivery *delivery
	runner   *runner
	// next is the event behind this one in its lane.
	next *task

	// Only the worker that has the lane touches what follows.

	// stage is where to go on.
	stage int
	// merged stands for the delivery's own event and those of swallowed.
	merged   *event.Event
	absorbed []*ack
	// foreign: not all that j stands for was led to by the trigger.
	external bool
	// notBefore is when the rate limit lets the next attempt begin; zero where that
	// is not decided.
	notBefore time.Time
	// journal remembers, from one attempt to the next, what has succeeded; set
	// with the first attempt.
	journal *action.Journal

	// The runner's lock guards what follows.

	// queue is where the job is.
	queue *keyQueue
	// barred: a quarantined trigger had no room for it.
	rejected bool
	// queuedAt is when it was queued; zero without Debounce.
	queuedAt time.Time
	// settled is set once by whoever decides what becomes of the event.
	settled bool
	// attempts counts the runs of the action; first and last began then.
	attempts    int
	first, last time.Time
	// failedStep is the one of several actions that failed last, and before how many
	// attempts there were before it ran.
	failedStep, priorAttempts int
}

func (j *task) event() *event.Event {
	if j.merged != nil {
		return j.merged
	}
	return &j.delivery.event
}

// complete says that the trigger is done with all that j stands for.
func (j *task) complete() {
	for _, t := range j.absorbed {
		t.complete()
	}
	j.delivery.complete()
}

// keyQueue is the events of one key, in order. It exists while it has any.
type keyQueue struct {
	key        string
	head, tail *task
	// next is the lane behind this one among those that are ready.
	next *keyQueue
	// running: a worker has the lane and handles its head.
	running bool
	// timer is set while the lane waits. Each wait has a number of its own.
	timer  clock.Timer
	waitID int
	// absorbs: the wait is for more events, of which behind were pushed.
	absorbing bool
	pending   int
}

func (l *keyQueue) push(j *task) {
	j.queue = l
	if l.head == nil {
		l.head = j
	} else {
		l.tail.next = j
	}
	l.tail = j
}

// pop removes the head. A job keeps no link to what came after it: it may
// live on in its delivery, and must not hold the lane's whole future with it.
func (l *keyQueue) pop() {
	l.head, l.head.next = l.head.next, nil
}

// readyQueue are lanes that wait for a worker, first come first served.
type readyQueue struct {
	head, tail *keyQueue
}

func (q *readyQueue) push(l *keyQueue) {
	if q.head == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
}

// pop returns the first lane, or nil where there is none.
func (q *readyQueue) pop() *keyQueue {
	l := q.head
	if l != nil {
		q.head, l.next = l.next, nil
	}
	return l
}
