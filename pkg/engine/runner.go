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
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// errStopped is what Deliver returns once the engine stops.
var errStopped = errors.New("the engine stops")

// runner handles the events of one trigger: it has its lanes, and starts
// workers while any of them is ready. It shares no worker with other triggers.
type runner struct {
	trigger Trigger
	clock   clock.WithDelayedExecution
	report  reporter
	stages  []stage
	// timedOut is the cause with which the context of an attempt ends.
	timedOut error
	// spawn is the body of a worker.
	spawn func()
	// room has an element for each event that is taken and not done.
	room chan struct{}

	mu      sync.Mutex
	lanes   map[string]*lane
	ready   lanes
	workers int
	// verdicts are those on hung attempts that are being passed on.
	verdicts int
	closed   bool
	// drained is closed when the runner is closed, and no worker or verdict is
	// left.
	drained chan struct{}
}

// newRunner returns the runner of t. ctx is that of its filters and actions.
func newRunner(ctx context.Context, t Trigger, clk clock.WithDelayedExecution, report reporter) *runner {
	r := &runner{
		trigger:  t,
		clock:    clk,
		report:   report,
		timedOut: fmt.Errorf("timed out after %s", t.Policy.Timeout),
		room:     make(chan struct{}, t.Policy.QueueSize),
		lanes:    map[string]*lane{},
		drained:  make(chan struct{}),
	}
	if t.Filter != nil {
		r.stages = append(r.stages, r.filter)
	}
	r.stages = append(r.stages, r.act)
	r.spawn = func() { r.work(ctx) }
	return r
}

// reserve takes the room for one event, and waits for it while the runner is
// full.
func (r *runner) reserve(ctx context.Context, stop <-chan struct{}) error {
	select {
	case r.room <- struct{}{}:
		return nil
	default:
	}
	select {
	case r.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-stop:
		return errStopped
	}
}

// unreserve gives room back.
func (r *runner) unreserve() { <-r.room }

// enqueue puts j, for which there is room, behind what its lane has.
func (r *runner) enqueue(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.giveBack(j)
		return
	}
	key := j.event().Key
	if l, ok := r.lanes[key]; ok {
		l.push(j)
		return
	}
	l := &lane{key: key}
	l.push(j)
	r.lanes[key] = l
	r.makeReady(l)
}

// makeReady queues l for a worker. The lock is held.
func (r *runner) makeReady(l *lane) {
	r.ready.push(l)
	if r.workers < r.trigger.Policy.Concurrency {
		r.workers++
		go r.spawn()
	}
}

// work handles events until no lane is ready.
func (r *runner) work(ctx context.Context) {
	for l := r.take(); l != nil; l = r.take() {
		s := r.handle(ctx, l.head)
		if s.then == finished {
			r.settle(l.head)
		}
		r.put(l, s)
	}
}

// take returns the lane that has been ready for longest. Nil ends the worker.
func (r *runner) take() *lane {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.ready.pop()
	if l == nil {
		r.workers--
		r.checkDrained()
		return nil
	}
	l.running = true
	return l
}

// put gives back a lane whose head was handled with the result s.
func (r *runner) put(l *lane, s step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.running = false
	switch {
	case s.then == finished:
		l.pop()
		if l.head == nil {
			delete(r.lanes, l.key)
			return
		}
		r.ready.push(l) // The worker that puts it also takes the next one.
	case r.closed:
		r.giveBack(l.head)
		delete(r.lanes, l.key)
	default:
		l.timer = after(r.clock, s.wait, func() { r.wake(l) })
	}
}

// wake makes a lane ready that has waited.
func (r *runner) wake(l *lane) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	l.timer = nil
	r.makeReady(l)
}

// settle says that the trigger is done with the event, unless that was said
// before.
func (r *runner) settle(j *job) {
	r.mu.Lock()
	settled := j.settled
	j.settled = true
	r.mu.Unlock()
	if !settled {
		r.release(j)
	}
}

// release passes on that the trigger is done with a settled event.
func (r *runner) release(j *job) {
	r.unreserve()
	j.delivery.release()
}

// close returns all events that no worker handles. Workers finish the stage
// that they are in, and end. It comes before the end of their context.
func (r *runner) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.ready = lanes{}
	for key, l := range r.lanes {
		j := l.head
		if l.running {
			j, l.head.next, l.tail = l.head.next, nil, l.head
		} else {
			delete(r.lanes, key)
		}
		if l.timer != nil {
			l.timer.Stop()
		}
		for ; j != nil; j = j.next {
			r.giveBack(j)
		}
	}
	r.checkDrained()
}

// abandon returns the events whose filter or action does not return.
func (r *runner) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lanes {
		r.giveBack(l.head)
	}
}

// giveBack leaves j undone. The lock is held.
func (r *runner) giveBack(j *job) {
	if j.settled {
		return
	}
	j.settled = true
	d := r.decide(j.event(), Returned, ReasonStopped)
	d.Attempt = j.attempts
	r.report.decision(d)
}

func (r *runner) checkDrained() {
	if r.closed && r.workers == 0 && r.verdicts == 0 {
		close(r.drained)
	}
}

func (r *runner) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// decide returns the frame of a decision about e.
func (r *runner) decide(e *event.Event, o Outcome, reason string) Decision {
	now := r.clock.Now()
	return Decision{
		Trigger: r.trigger.Trigger,
		Event:   Ref{Source: e.Source, Type: e.Type, Cluster: e.Cluster, Key: e.Key, ID: e.ID},
		Outcome: o, Reason: reason, Age: now.Sub(e.Time), Time: now,
	}
}

// after runs f in a goroutine of its own when d has passed. That is what a
// real clock does; a fake one runs it while it holds its own lock.
func after(c clock.WithDelayedExecution, d time.Duration, f func()) clock.Timer {
	return c.AfterFunc(d, func() { go f() })
}
