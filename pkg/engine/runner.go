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
	"github.com/kubevela/kube-trigger/pkg/store"
)

// errStopped is what Deliver returns once the engine stops.
var errStopped = errors.New("the engine stops")

// runner handles the events of one trigger: it has its lanes, and starts
// workers while any of them is ready. It shares no worker with other triggers.
type runner struct {
	trigger     Trigger
	clock       clock.WithDelayedExecution
	report      reporter
	deadLetters store.DeadLetters
	stages      []stage
	// timedOut is the cause with which the context of an attempt ends.
	timedOut error
	// runWorker is the body of a worker.
	runWorker func()
	// sendToDeadLetter buries a dead letter, in a goroutine of its own.
	sendToDeadLetter func(j *task, l store.DeadLetter)
	// slots has an element for each event that is taken and not done.
	slots chan struct{}
	// overflow has an element for each event that is buried without room.
	overflow chan struct{}
	// closing is closed when the runner is.
	closing chan struct{}

	mu      sync.Mutex
	queues  map[string]*keyQueue
	ready   readyQueue
	workers int
	storing int
	closed  bool
	// drained is closed when the runner is closed, and no worker or burial is
	// left.
	drained chan struct{}
	limiter *limiter
	// loops are counted by key; what is over was last swept out at swept.
	loops        map[string]loop
	loopsSweptAt time.Time
	// overruns counts evaluations, and hung given-up actions, that do not end.
	overruns, hung int
	// quarantinedSince is since when; zero where it is not. Then barred is open.
	quarantinedSince time.Time
	rejecting        chan struct{}
}

// newRunner returns the runner of t. ctx is that of its filters and actions.
func newRunner(ctx context.Context, t Trigger, o Options, report reporter) *runner {
	r := &runner{
		trigger:     t,
		clock:       o.Clock,
		deadLetters: o.DeadLetters,
		report:      report,
		timedOut:    fmt.Errorf("timed out after %s", t.Policy.Timeout),
		slots:       make(chan struct{}, t.Policy.QueueSize),
		queues:      map[string]*keyQueue{},
		overflow:    make(chan struct{}, maxOverflow),
		closing:     make(chan struct{}),
		drained:     make(chan struct{}),
		loops:       map[string]loop{},
		rejecting:   make(chan struct{}),
	}
	if t.Policy.RateLimit.Limit > 0 {
		r.limiter = &limiter{RateLimit: t.Policy.RateLimit}
	}
	for _, s := range []struct {
		stage stage
		used  bool
	}{
		{r.dropOwnWrite, t.LoopDetector != nil},
		{r.debounce, t.Policy.Debounce > 0},
		{r.dropFatal, t.Filter != nil && t.CrashTracker != nil},
		{r.filter, t.Filter != nil},
		{r.breakLoop, t.LoopDetector != nil},
		{r.act, true},
	} {
		if s.used {
			r.stages = append(r.stages, s.stage)
		}
	}
	r.runWorker = func() { r.work(ctx) }
	r.sendToDeadLetter = func(j *task, l store.DeadLetter) { go r.storeDeadLetter(ctx, j, l) }
	return r
}

// maxOverflow bounds how many events a quarantined trigger buries at once that it
// had no room for.
const maxOverflow = 64

// acquire takes the room for one event, and waits for it while the runner is
// full. A quarantined one that is full bars the event instead.
func (r *runner) acquire(ctx context.Context, stop <-chan struct{}) (rejected bool, err error) {
	select {
	case r.slots <- struct{}{}:
		return false, nil
	default:
	}
	r.mu.Lock()
	rejecting := r.rejecting
	r.mu.Unlock()
	select {
	case r.slots <- struct{}{}:
		return false, nil
	case <-rejecting:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-stop:
		return false, errStopped
	}
	select {
	case r.overflow <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-stop:
		return false, errStopped
	}
}

// releaseSlot gives room back.
func (r *runner) releaseSlot() { <-r.slots }

// release gives back what reserve took for j.
func (r *runner) release(j *task) {
	if j.rejected {
		<-r.overflow
	} else {
		r.releaseSlot()
	}
}

// enqueue puts j, for which there is room, behind what its lane has.
func (r *runner) enqueue(j *task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.requeue(j)
		return
	}
	key := j.event().OrderingKey()
	if r.trigger.Policy.Debounce > 0 {
		j.queuedAt = r.clock.Now()
	}
	if l, ok := r.queues[key]; ok {
		l.push(j)
		if l.pending++; l.pending >= absorbEvery && l.absorbing && l.timer != nil {
			l.timer.Stop()
			r.makeReady(l)
		}
		return
	}
	l := &keyQueue{key: key}
	l.push(j)
	r.queues[key] = l
	r.makeReady(l)
}

// makeReady queues l for a worker. The lock is held.
func (r *runner) makeReady(l *keyQueue) {
	l.timer = nil
	r.ready.push(l)
	if r.workers < r.trigger.Policy.Concurrency && r.quarantinedSince.IsZero() {
		r.workers++
		go r.runWorker()
	}
}

// work handles events until no lane is ready.
func (r *runner) work(ctx context.Context) {
	for l := r.dequeue(); l != nil; l = r.dequeue() {
		s := r.handle(ctx, l.head)
		if s.next == finished {
			r.settle(l.head)
		}
		r.putBack(l, s)
	}
}

// dequeue returns the lane that has been ready for longest. Nil ends the worker.
func (r *runner) dequeue() *keyQueue {
	r.mu.Lock()
	defer r.mu.Unlock()
	var l *keyQueue
	if r.quarantinedSince.IsZero() {
		l = r.ready.pop()
	}
	if l == nil {
		r.workers--
		r.checkDrained()
		return nil
	}
	l.running = true
	return l
}

// putBack gives back a lane whose head was handled with the result s.
func (r *runner) putBack(l *keyQueue, s result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.running = false
	switch {
	case s.next == finished:
		l.pop()
		if l.head == nil {
			delete(r.queues, l.key)
			return
		}
		r.ready.push(l) // The worker that puts it also takes the next one.
	case r.closed:
		r.requeue(l.head)
		delete(r.queues, l.key)
	default:
		l.absorbing, l.pending = s.absorbing, 0
		l.waitID++
		wait := l.waitID
		l.timer = after(r.clock, s.wait, func() { r.wake(l, wait) })
	}
}

// wake makes a lane ready when its nth wait is over.
func (r *runner) wake(l *keyQueue, wait int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || l.timer == nil || l.waitID != wait {
		return
	}
	r.makeReady(l)
}

// settle says that the trigger is done with the event, unless that was said
// before.
func (r *runner) settle(j *task) {
	r.mu.Lock()
	settled := j.settled
	j.settled = true
	r.mu.Unlock()
	if !settled {
		r.complete(j)
	}
}

// complete passes on that the trigger is done with a settled event.
func (r *runner) complete(j *task) {
	r.release(j)
	j.complete()
}

// close returns all events that no worker handles. Workers finish the stage
// that they are in, and end. It comes before the end of their context.
func (r *runner) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	close(r.closing)
	r.ready = readyQueue{}
	for key, l := range r.queues {
		j := l.head
		if l.running {
			j, l.head.next, l.tail = l.head.next, nil, l.head
		} else {
			delete(r.queues, key)
		}
		if l.timer != nil {
			l.timer.Stop()
		}
		for ; j != nil; j = j.next {
			r.requeue(j)
		}
	}
	r.checkDrained()
}

// abandon returns the events whose filter or action does not return.
func (r *runner) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.queues {
		r.requeue(l.head)
	}
}

// requeue leaves j undone. The lock is held.
func (r *runner) requeue(j *task) {
	if j.settled {
		return
	}
	j.settled = true
	d := r.newDecision(j.event(), Requeued, ReasonStopped)
	d.Attempt = j.attempts
	r.report.decision(d)
}

func (r *runner) checkDrained() {
	if r.closed && r.workers == 0 && r.storing == 0 {
		close(r.drained)
	}
}

func (r *runner) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// newDecision returns the frame of a decision about e.
func (r *runner) newDecision(e *event.Event, o Outcome, reason string) Decision {
	now := r.clock.Now()
	return Decision{
		Trigger: r.trigger.TriggerRef,
		Event:   EventRef{Source: e.Source, Type: e.Type, Cluster: e.Cluster, Key: e.Key, ID: e.ID},
		Outcome: o, Reason: reason, Age: now.Sub(e.Time), Time: now,
	}
}

// after runs f in a goroutine of its own when d has passed. That is what a
// real clock does; a fake one runs it while it holds its own lock.
func after(c clock.WithDelayedExecution, d time.Duration, f func()) clock.Timer {
	return c.AfterFunc(d, func() { go f() })
}
