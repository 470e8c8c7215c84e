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

// errStopped is the error of Deliver once the engine stops.
var errStopped = errors.New("the engine is stopping")

// runner handles the events of one trigger. It owns the key queues, and starts
// workers while any of them is ready. Triggers share no workers.
type runner struct {
	trigger     Trigger
	clock       clock.WithDelayedExecution
	report      reporter
	deadLetters store.DeadLetters
	stages      []stage
	// timedOut is the cause of the end of an attempt's context.
	timedOut error
	// runWorker is the body of a worker goroutine.
	runWorker func()
	// sendToDeadLetter stores a dead letter in its own goroutine.
	sendToDeadLetter func(t *task, l store.DeadLetter)
	// slots holds one element for each event in progress.
	slots chan struct{}
	// overflow holds one element for each rejected event whose dead letter is
	// being stored.
	overflow chan struct{}
	// closing is closed when the runner closes.
	closing chan struct{}

	mu      sync.Mutex
	queues  map[string]*keyQueue
	ready   readyQueue
	workers int
	storing int
	closed  bool
	// drained is closed when the runner is closed and no worker runs and no dead
	// letter is being stored.
	drained chan struct{}
	limiter *limiter
	// loops counts circular events by key; expired entries were last removed at
	// loopsSweptAt.
	loops        map[string]loop
	loopsSweptAt time.Time
	// overruns is the number of evaluations that exceed the limit, hung the
	// number of dead-lettered actions that still run.
	overruns, hung int
	// quarantinedSince is zero if the trigger is not quarantined. rejecting is
	// closed while it is.
	quarantinedSince time.Time
	rejecting        chan struct{}
}

// newRunner returns the runner of t. ctx is the context of filters and actions.
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
	r.sendToDeadLetter = func(t *task, d store.DeadLetter) { go r.storeDeadLetter(ctx, t, d) }
	return r
}

// maxOverflow is the maximum number of rejected events of a quarantined trigger
// whose dead letters are stored concurrently.
const maxOverflow = 64

// acquire takes a slot for one event, and waits for it while the queue is full.
// If the queue is full and the trigger is quarantined, it takes an overflow slot
// instead and returns true.
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

func (r *runner) releaseSlot() { <-r.slots }

// release frees the slot that acquire took for t.
func (r *runner) release(t *task) {
	if t.rejected {
		<-r.overflow
	} else {
		r.releaseSlot()
	}
}

// enqueue appends t, which holds a slot, to the queue of its key.
func (r *runner) enqueue(t *task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.requeue(t)
		return
	}
	key := t.event().OrderingKey()
	if r.trigger.Policy.Debounce > 0 {
		t.queuedAt = r.clock.Now()
	}
	if q, ok := r.queues[key]; ok {
		q.push(t)
		if q.pending++; q.pending >= absorbEvery && q.absorbing && q.timer != nil {
			q.timer.Stop()
			r.makeReady(q)
		}
		return
	}
	q := &keyQueue{key: key}
	q.push(t)
	r.queues[key] = q
	r.makeReady(q)
}

// makeReady appends q to the ready queue, and starts a worker if there are fewer
// than Concurrency. The lock is held.
func (r *runner) makeReady(q *keyQueue) {
	q.timer = nil
	r.ready.push(q)
	if r.workers < r.trigger.Policy.Concurrency && r.quarantinedSince.IsZero() {
		r.workers++
		go r.runWorker()
	}
}

// work handles tasks until no key queue is ready.
func (r *runner) work(ctx context.Context) {
	for q := r.dequeue(); q != nil; q = r.dequeue() {
		res := r.handle(ctx, q.head)
		if res.next == finished {
			r.settle(q.head)
		}
		r.putBack(q, res)
	}
}

// dequeue returns the key queue that has been ready the longest. Nil ends the
// worker.
func (r *runner) dequeue() *keyQueue {
	r.mu.Lock()
	defer r.mu.Unlock()
	var q *keyQueue
	if r.quarantinedSince.IsZero() {
		q = r.ready.pop()
	}
	if q == nil {
		r.workers--
		r.checkDrained()
		return nil
	}
	q.running = true
	return q
}

// putBack returns a key queue after its head was handled with the result res.
func (r *runner) putBack(q *keyQueue, res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q.running = false
	switch {
	case res.next == finished:
		q.pop()
		if q.head == nil {
			delete(r.queues, q.key)
			return
		}
		r.ready.push(q) // No new worker is needed: this one dequeues next.
	case r.closed:
		r.requeue(q.head)
		delete(r.queues, q.key)
	default:
		q.absorbing, q.pending = res.absorbing, 0
		q.waitID++
		id := q.waitID
		q.timer = after(r.clock, res.wait, func() { r.wake(q, id) })
	}
}

// wake makes q ready when its wait with that ID is over.
func (r *runner) wake(q *keyQueue, id int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || q.timer == nil || q.waitID != id {
		return
	}
	r.makeReady(q)
}

// settle completes the task, unless it is already settled.
func (r *runner) settle(t *task) {
	r.mu.Lock()
	settled := t.settled
	t.settled = true
	r.mu.Unlock()
	if !settled {
		r.complete(t)
	}
}

// complete frees the slot of a settled task and acknowledges its event.
func (r *runner) complete(t *task) {
	r.release(t)
	t.complete()
}

// close requeues all events that no worker handles. Workers finish their current
// stage and end. It must be called before the workers' context ends.
func (r *runner) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	close(r.closing)
	r.ready = readyQueue{}
	for key, q := range r.queues {
		t := q.head
		if q.running {
			t, q.head.next, q.tail = q.head.next, nil, q.head
		} else {
			delete(r.queues, key)
		}
		if q.timer != nil {
			q.timer.Stop()
		}
		for ; t != nil; t = t.next {
			r.requeue(t)
		}
	}
	r.checkDrained()
}

// abandon requeues the events whose filter or action does not return.
func (r *runner) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.queues {
		r.requeue(q.head)
	}
}

// requeue settles t without an acknowledgement. The lock is held.
func (r *runner) requeue(t *task) {
	if t.settled {
		return
	}
	t.settled = true
	d := r.newDecision(t.event(), Requeued, ReasonStopped)
	d.Attempt = t.attempts
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

// newDecision returns a decision about e with the common fields set.
func (r *runner) newDecision(e *event.Event, o Outcome, reason string) Decision {
	now := r.clock.Now()
	return Decision{
		Trigger: r.trigger.TriggerRef,
		Event:   EventRef{Source: e.Source, Type: e.Type, Cluster: e.Cluster, Key: e.Key, ID: e.ID},
		Outcome: o, Reason: reason, Age: now.Sub(e.Time), Time: now,
	}
}

// after runs f in its own goroutine after d, as the real clock's AfterFunc does.
// The fake clock's runs f while it holds the clock's lock.
func after(c clock.WithDelayedExecution, d time.Duration, f func()) clock.Timer {
	return c.AfterFunc(d, func() { go f() })
}
