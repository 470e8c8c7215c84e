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
	event   event.Event
	done    func()
	pending atomic.Int32
	jobs    []job
}

// release says that one more trigger is done with the event.
func (d *delivery) release() {
	if d.pending.Add(-1) == 0 {
		d.done()
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
	// journal remembers, from one attempt to the next, what has succeeded; set
	// with the first attempt.
	journal *action.Journal

	// The runner's lock guards what follows.

	// settled is set once by whoever decides what becomes of the event.
	settled bool
	// attempts counts the runs of the action; first and last began then.
	attempts    int
	first, last time.Time
}

func (j *job) event() *event.Event { return &j.delivery.event }

// lane is the events of one key, in order. It exists while it has any.
type lane struct {
	key        string
	head, tail *job
	// next is the lane behind this one among those that are ready.
	next *lane
	// running: a worker has the lane and handles its head.
	running bool
	// timer is set while the lane waits.
	timer clock.Timer
}

func (l *lane) push(j *job) {
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
