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
	*ticket
	jobs []job
}

// ticket counts the triggers that are not done with an event. It holds nothing
// of the event.
type ticket struct {
	done    func()
	pending atomic.Int32
}

// release says that one more trigger is done with the event.
func (t *ticket) release() {
	if t.pending.Add(-1) == 0 {
		t.done()
	}
}

// job is an event on its way through one trigger.
type job struct {
	delivery *delivery
	runner   *runner
	// next is the event behind this one in its lane.
	next *job

	// Only the worker that has the lane touches what follows.

	// stage is where to go on.
	stage int
	// merged stands for the delivery's own event and those of swallowed.
	merged    *event.Event
	swallowed []*ticket
	// foreign: not all that j stands for was led to by the trigger.
	foreign bool
	// turn is when the rate limit lets the next attempt begin; zero where that
	// is not decided.
	turn time.Time
	// journal remembers, from one attempt to the next, what has succeeded; set
	// with the first attempt.
	journal *action.Journal

	// The runner's lock guards what follows.

	// lane is where the job is.
	lane *lane
	// barred: a quarantined trigger had no room for it.
	barred bool
	// arrived is when it was queued; zero without Debounce.
	arrived time.Time
	// settled is set once by whoever decides what becomes of the event.
	settled bool
	// attempts counts the runs of the action; first and last began then.
	attempts    int
	first, last time.Time
	// at is the one of several actions that failed last, and before how many
	// attempts there were before it ran.
	at, before int
}

func (j *job) event() *event.Event {
	if j.merged != nil {
		return j.merged
	}
	return &j.delivery.event
}

// release says that the trigger is done with all that j stands for.
func (j *job) release() {
	for _, t := range j.swallowed {
		t.release()
	}
	j.delivery.release()
}

// lane is the events of one key, in order. It exists while it has any.
type lane struct {
	key        string
	head, tail *job
	// next is the lane behind this one among those that are ready.
	next *lane
	// running: a worker has the lane and handles its head.
	running bool
	// timer is set while the lane waits. Each wait has a number of its own.
	timer clock.Timer
	wait  int
	// absorbs: the wait is for more events, of which behind were pushed.
	absorbs bool
	behind  int
}

func (l *lane) push(j *job) {
	j.lane = l
	if l.head == nil {
		l.head = j
	} else {
		l.tail.next = j
	}
	l.tail = j
}

// pop removes the head. A job keeps no link to what came after it: it may
// live on in its delivery, and must not hold the lane's whole future with it.
func (l *lane) pop() {
	l.head, l.head.next = l.head.next, nil
}

// lanes are lanes that wait for a worker, first come first served.
type lanes struct {
	head, tail *lane
}

func (q *lanes) push(l *lane) {
	if q.head == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
}

// pop returns the first lane, or nil where there is none.
func (q *lanes) pop() *lane {
	l := q.head
	if l != nil {
		q.head, l.next = l.next, nil
	}
	return l
}
