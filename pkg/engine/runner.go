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
	trigger Trigger
	clock   clock.WithDelayedExecution
	report  reporter
	letters store.Letters
	stages  []stage
	// timedOut is the cause with which the context of an attempt ends.
	timedOut error
	// spawn is the body of a worker.
	spawn func()
	// inter buries a dead letter, in a goroutine of its own.
	inter func(j *job, l store.Letter)
	// room has an element for each event that is taken and not done.
	room chan struct{}
	// graves has an element for each event that is buried without room.
	graves chan struct{}
	// closing is closed when the runner is.
	closing chan struct{}

	mu      sync.Mutex
	lanes   map[string]*lane
	ready   lanes
	workers int
	burials int
	closed  bool
	// drained is closed when the runner is closed, and no worker or burial is
	// left.
	drained chan struct{}
	limiter *limiter
	// loops are counted by key; what is over was last swept out at swept.
	loops map[string]loop
	swept time.Time
	// overruns counts evaluations, and hung given-up actions, that do not end.
	overruns, hung int
	// quarantined is since when; zero where it is not. Then barred is open.
	quarantined time.Time
	barred      chan struct{}
}

// newRunner returns the runner of t. ctx is that of its filters and actions.
func newRunner(ctx context.Context, t Trigger, o Options, report reporter) *runner {
	r := &runner{
		trigger:  t,
		clock:    o.Clock,
		letters:  o.Letters,
		report:   report,
		timedOut: fmt.Errorf("timed out after %s", t.Policy.Timeout),
		room:     make(chan struct{}, t.Policy.QueueSize),
		lanes:    map[string]*lane{},
		graves:   make(chan struct{}, maxGraves),
		closing:  make(chan struct{}),
		drained:  make(chan struct{}),
		loops:    map[string]loop{},
		barred:   make(chan struct{}),
	}
	if t.Policy.RateLimit.Limit > 0 {
		r.limiter = &limiter{RateLimit: t.Policy.RateLimit}
	}
	for _, s := range []struct {
		stage stage
		used  bool
	}{
		{r.own, t.Guard != nil},
		{r.debounce, t.Policy.Debounce > 0},
		{r.watched, t.Filter != nil && t.Witness != nil},
		{r.filter, t.Filter != nil},
		{r.breakLoop, t.Guard != nil},
		{r.act, true},
	} {
		if s.used {
			r.stages = append(r.stages, s.stage)
		}
	}
	r.spawn = func() { r.work(ctx) }
	r.inter = func(j *job, l store.Letter) { go r.bury(ctx, j, l) }
	return r
}

// maxGraves bounds how many events a quarantined trigger buries at once that it
// had no room for.
const maxGraves = 64

// reserve takes the room for one event, and waits for it while the runner is
// full. A quarantined one that is full bars the event instead.
func (r *runner) reserve(ctx context.Context, stop <-chan struct{}) (barred bool, err error) {
	select {
	case r.room <- struct{}{}:
		return false, nil
	default:
	}
	r.mu.Lock()
	bar := r.barred
	r.mu.Unlock()
	select {
	case r.room <- struct{}{}:
		return false, nil
	case <-bar:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-stop:
		return false, errStopped
	}
	select {
	case r.graves <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-stop:
		return false, errStopped
	}
}

// unreserve gives room back.
func (r *runner) unreserve() { <-r.room }

// vacate gives back what reserve took for j.
func (r *runner) vacate(j *job) {
	if j.barred {
		<-r.graves
	} else {
		r.unreserve()
	}
}

// enqueue puts j, for which there is room, behind what its lane has.
func (r *runner) enqueue(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.giveBack(j)
		return
	}
	key := j.event().Lane()
	if r.trigger.Policy.Debounce > 0 {
		j.arrived = r.clock.Now()
	}
	if l, ok := r.lanes[key]; ok {
		l.push(j)
		if l.behind++; l.behind >= absorbEvery && l.absorbs && l.timer != nil {
			l.timer.Stop()
			r.makeReady(l)
		}
		return
	}
	l := &lane{key: key}
	l.push(j)
	r.lanes[key] = l
	r.makeReady(l)
}

// makeReady queues l for a worker. The lock is held.
func (r *runner) makeReady(l *lane) {
	l.timer = nil
	r.ready.push(l)
	if r.workers < r.trigger.Policy.Concurrency && r.quarantined.IsZero() {
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
	var l *lane
	if r.quarantined.IsZero() {
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
		l.absorbs, l.behind = s.absorbs, 0
		l.wait++
		wait := l.wait
		l.timer = after(r.clock, s.wait, func() { r.wake(l, wait) })
	}
}

// wake makes a lane ready when its nth wait is over.
func (r *runner) wake(l *lane, wait int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || l.timer == nil || l.wait != wait {
		return
	}
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
	r.vacate(j)
	j.release()
}

// close returns all events that no worker handles. Workers finish the stage
// that they are in, and end. It comes before the end of their context.
func (r *runner) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	close(r.closing)
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
	if r.closed && r.workers == 0 && r.burials == 0 {
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
