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
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Run handles events until ctx ends, and then returns nil. With FailFast, it
// returns the first failure of a source.
//
// At the end Run stops the sources, requeues all events that no worker handles,
// and waits ShutdownGrace for running actions. Then it cancels the contexts of
// the actions. Events whose action still does not return are requeued.
func (e *Engine) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	actions, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)

	var (
		log         = logr.FromContextOrDiscard(ctx)
		report      = reporter{log: log, observer: e.options.Observer}
		supervisors []*supervisor
		runners     []*runner
		sources     sync.WaitGroup
		failed      = make(chan error, len(e.groups))
	)
	b := newBudget(e.options.QueueBytes, len(e.Triggers()))
	for _, g := range e.groups {
		s := e.supervisor(actions, g, b, ctx.Done(), report)
		supervisors = append(supervisors, s)
		runners = append(runners, s.sink.runners...)
	}
	e.mu.Lock()
	e.runners, e.running, e.stop = runners, true, ctx.Done()
	e.mu.Unlock()
	for _, s := range supervisors {
		sources.Go(func() {
			if err := s.run(ctx); err != nil {
				failed <- err
				stop(err)
			}
		})
	}
	log.Info("Engine started", "triggers", len(runners), "sources", len(e.groups))
	<-ctx.Done()
	e.mu.Lock()
	e.running = false
	e.mu.Unlock()
	log.Info("Engine stopping", "grace", e.options.ShutdownGrace)

	stopped := make(chan struct{})
	go func() {
		sources.Wait()
		close(stopped)
	}()
	e.shutDown(stopped, runners, cancel)
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// supervisor returns the supervisor of g's source. ctx is the context of filters
// and actions, and b the budget of all triggers.
func (e *Engine) supervisor(ctx context.Context, g group, b *budget, stop <-chan struct{}, report reporter) *supervisor {
	s := &supervisor{
		sourceType: g.sourceType,
		sink:       &sink{stop: stop},
		clock:      e.options.Clock,
		report:     report,
		failFast:   e.options.FailFast,
	}
	var shared []source.Subscription
	for _, t := range g.triggers {
		named := logr.NewContext(ctx, report.log.WithValues("trigger", t.String()))
		s.triggers = append(s.triggers, event.TriggerRef{Name: t.Name, Namespace: t.Namespace})
		s.sink.runners = append(s.sink.runners, newRunner(named, t, e.options, b, report))
		shared = append(shared, t.Subscription)
	}
	s.source = shared[0].Open(shared)
	return s
}

// shutDown closes the runners once the sources have stopped, or the grace period
// has ended. cancel cancels the contexts of actions.
func (e *Engine) shutDown(sources <-chan struct{}, runners []*runner, cancel context.CancelCauseFunc) {
	grace := newDeadline(e.options.Clock, e.options.ShutdownGrace)
	defer grace.timer.Stop()
	grace.wait(sources)
	for _, r := range runners {
		r.close()
	}
	var running []*runner
	for _, r := range runners {
		if !grace.wait(r.active.drained) {
			running = append(running, r)
		}
	}
	if len(running) == 0 {
		return
	}
	cancel(fmt.Errorf("still running %s after the engine was stopped", e.options.ShutdownGrace))
	last := newDeadline(e.options.Clock, gracePeriod)
	defer last.timer.Stop()
	for _, r := range running {
		if !last.wait(r.active.drained) {
			r.abandon()
		}
	}
}

// deadline is a timer shared by several waits.
type deadline struct {
	timer   clock.Timer
	expired bool
}

func newDeadline(c clock.WithDelayedExecution, d time.Duration) *deadline {
	return &deadline{timer: c.NewTimer(d)}
}

// wait reports whether done is closed before the deadline.
func (d *deadline) wait(done <-chan struct{}) bool {
	if !d.expired {
		select {
		case <-done:
			return true
		case <-d.timer.C():
			d.expired = true
		}
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}
