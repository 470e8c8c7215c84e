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
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// runner handles the events of one trigger. Triggers share no workers.
type runner struct {
	trigger     Trigger
	clock       clock.WithDelayedExecution
	report      reporter
	queue       *queue
	slots       *slots
	memory      *share
	quarantine  quarantine
	deadLetters deadLetterer
	// started is the time of the start. crashed is true if the trigger is quarantined
	// because an evaluation has crashed the process.
	started time.Time
	crashed bool
	// screener is nil if all events are queued.
	screener Screener
	// active counts the workers, the timers that have fired, and the dead letters that are
	// being stored.
	active activity
	// closing is closed when the runner closes.
	closing chan struct{}
}

// newRunner returns the runner of t. ctx is the context of filters and actions.
func newRunner(ctx context.Context, t Trigger, o Options, b *budget, report reporter) *runner {
	r := &runner{
		trigger: t,
		started: o.Clock.Now(),
		crashed: t.crashed(),
		clock:   o.Clock,
		report:  report,
		slots:   newSlots(t.Policy.QueueSize),
		memory:  &share{budget: b},
		active:  activity{drained: make(chan struct{})},
		closing: make(chan struct{}),
	}
	r.queue = &queue{clock: o.Clock, active: &r.active, maxWorkers: t.Policy.Concurrency, keys: map[string]*keyQueue{}, startWorker: func() {
		r.active.add()
		go r.work(ctx)
	}}
	if r.crashed {
		report.crashed(t.TriggerRef)
	} else {
		r.screener = screener(t)
	}
	r.deadLetters = deadLetterer{runner: r, store: o.DeadLetters}
	r.deadLetters.startPut = func(t *Task, l store.DeadLetter) { go r.deadLetters.put(ctx, t, l) }
	return r
}

// enqueue queues t, which holds a slot.
func (r *runner) enqueue(t *Task) {
	if r.trigger.Policy.Debounce > 0 {
		t.queuedAt = r.clock.Now()
	}
	if !r.queue.push(t) {
		r.requeue(t)
	}
}

// work handles tasks until none is ready.
func (r *runner) work(ctx context.Context) {
	defer r.active.remove()
	for t := r.queue.next(); t != nil; t = r.queue.next() {
		switch res := r.handle(ctx, t); res.next {
		case proceed, finished, decided:
			r.finish(t, res)
			r.queue.done(t)
		case moved:
			t.stage++
			if !r.queue.move(t, res.key) {
				r.requeue(t)
			}
		case paused, stopped:
			t.unloadIfCrowded()
			if !r.queue.retryAfter(t, res.wait, res.absorbing) {
				r.requeue(t)
			}
		}
	}
}

// handle runs the stages of t, from the one where it paused.
func (r *runner) handle(ctx context.Context, t *Task) Result {
	for ; t.stage < len(r.trigger.Stages); t.stage++ {
		if t.stage > 0 && r.queue.isClosed() {
			return stop()
		}
		if res := r.trigger.Stages[t.stage].Handle(ctx, t); res.next != proceed {
			return res
		}
	}
	return Result{}
}

// finish reports the final decision, and completes the task.
func (r *runner) finish(t *Task, res Result) {
	if t.circle != nil {
		changed := res.next == decided || res.outcome == Succeeded && res.reason == ""
		t.circle.finish(t, changed, r.clock.Now())
	}
	switch {
	case res.next == decided:
	case res.outcome == DeadLettered:
		r.deadLetters.add(t, res)
	case t.settle():
		if res.outcome != "" {
			d := r.newDecision(t.Event(), res.outcome, res.reason)
			d.Path, d.Attempt, d.Warnings = res.path, t.attempted().total, res.warnings
			if !res.start.IsZero() {
				d.Duration = d.Time.Sub(res.start)
			}
			r.report.decision(d)
		}
		r.complete(t)
	}
}

// reportPause reports the start or the end of a pause, at whose end the events that
// wait are handled.
func (r *runner) reportPause(change pauseChange) {
	if change == unchanged {
		return
	}
	r.report.pause(r.trigger.TriggerRef, change == pauseStarted)
	if change == pauseEnded {
		r.queue.wakeAbsorbing()
	}
}

// complete frees the slot of a settled task and acknowledges its event.
func (r *runner) complete(t *Task) {
	t.free()
	r.slots.release(t.rejected)
	t.complete()
}

// close requeues all events that no worker handles. Workers finish their current
// stage and end. It must be called before the workers' context ends.
func (r *runner) close() {
	removed := r.queue.close()
	close(r.closing)
	for _, t := range removed {
		r.requeue(t)
	}
	r.active.close()
}

// abandon requeues the events whose filter or action does not return.
func (r *runner) abandon() {
	for _, t := range r.queue.heads() {
		r.requeue(t)
	}
}

// requeue settles t without an acknowledgement.
func (r *runner) requeue(t *Task) {
	if !t.settle() {
		return
	}
	d := r.newDecision(t.Event(), Requeued, ReasonStopped)
	d.Attempt = t.attempted().total
	r.report.decision(d)
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

// activity counts what is running. It is safe for concurrent use.
type activity struct {
	mu     sync.Mutex
	count  int
	closed bool
	// drained is closed when the activity is closed and the count is 0.
	drained chan struct{}
	once    sync.Once
	// idle is closed when the count is 0; nil unless something waits for that.
	idle chan struct{}
}

// wait blocks until the count is 0, or ctx ends.
func (a *activity) wait(ctx context.Context) error {
	a.mu.Lock()
	if a.count == 0 {
		a.mu.Unlock()
		return nil
	}
	if a.idle == nil {
		a.idle = make(chan struct{})
	}
	idle := a.idle
	a.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *activity) add() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
}

func (a *activity) remove() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count--
	a.check()
}

func (a *activity) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.check()
}

func (a *activity) check() {
	if a.count == 0 && a.idle != nil {
		close(a.idle)
		a.idle = nil
	}
	if a.closed && a.count == 0 {
		a.once.Do(func() { close(a.drained) })
	}
}
