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

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// sink delivers the events of one source to the runners of its triggers.
type sink struct {
	runners []*runner
	stop    <-chan struct{}
	// ignoreSubscription delivers events whatever the triggers' subscriptions
	// are.
	ignoreSubscription bool
}

// Deliver implements source.Sink. It acquires a slot of every subscribed trigger
// before it enqueues the event at any of them, always in the same order, so that
// an event is taken by all or none, and concurrent sources do not deadlock. A trigger
// whose filter excludes the event cheaply takes no part in that.
func (s *sink) Deliver(ctx context.Context, ev event.Event, options source.Delivery) error {
	select {
	case <-s.stop:
		return fmt.Errorf("deliver event %q: %w", ev.ID, errStopped)
	case <-ctx.Done():
		return fmt.Errorf("deliver event %q: %w", ev.ID, ctx.Err())
	default:
	}
	var (
		d     *delivery
		tasks []*Task
	)
	for _, r := range s.runners {
		if reason := s.skip(r, ev, options); reason != "" {
			r.report.decision(r.newDecision(&ev, Suppressed, string(reason)))
			continue
		}
		if r.trigger.Policy.Suspend {
			r.report.decision(r.newDecision(&ev, Suppressed, ReasonSuspended))
			continue
		}
		if r.screener != nil && !s.ignoreSubscription {
			if v, excluded := r.screener.Screen(ev); excluded {
				filtered := r.newDecision(&ev, Filtered, v.Reason)
				filtered.Path = v.Path
				r.report.decision(filtered)
				continue
			}
		}
		if d == nil {
			d = newDelivery(ev, options)
		}
		t, err := r.accept(ctx, d, s.stop)
		if err != nil {
			for _, t := range tasks {
				t.free()
				t.runner.slots.release(t.rejected)
			}
			return fmt.Errorf("deliver event %q to trigger %q: %w", ev.ID, r.trigger, err)
		}
		tasks = append(tasks, t)
	}
	if len(tasks) == 0 {
		options.Done()
		return nil
	}
	d.pending.Store(int32(len(tasks)))
	for _, t := range tasks {
		if t.rejected {
			t.runner.reject(t)
			continue
		}
		t.runner.report.decision(t.runner.newDecision(&d.event, Queued, ""))
		t.runner.enqueue(t)
	}
	return nil
}

// accept returns the task of d. It waits for a slot, and for the bytes that the task
// cannot do without.
func (r *runner) accept(ctx context.Context, d *delivery, stop <-chan struct{}) (*Task, error) {
	t := &Task{runner: r, received: d.event.Time}
	t.delivery.Store(d)
	var err error
	if t.rejected, err = r.slots.acquire(ctx, stop); err != nil {
		return nil, err
	}
	if err = t.hold(ctx, stop); err != nil {
		r.slots.release(t.rejected)
		return nil, err
	}
	return t, nil
}

// skip returns the reason why r does not take ev, or "".
func (s *sink) skip(r *runner, ev event.Event, options source.Delivery) source.Reason {
	if s.ignoreSubscription {
		return ""
	}
	return r.trigger.Subscription.Skip(ev, options)
}

var (
	// ErrNotRunning means that no running trigger has the name.
	ErrNotRunning = errors.New("the trigger is not running")
	// ErrSuspended means that the trigger is suspended.
	ErrSuspended = errors.New("the trigger is suspended")
)

// Deliver delivers ev to one trigger, whatever its subscription, behind other
// events of the same key. It blocks and calls d.Done as the Deliver of a
// source.Sink does.
func (e *Engine) Deliver(ctx context.Context, t event.TriggerRef, ev event.Event, d source.Delivery) error {
	e.mu.Lock()
	running, stop, runners := e.running, e.stop, e.runners
	e.mu.Unlock()
	for _, r := range runners {
		switch {
		case r.trigger.TriggerRef != t || !running:
			continue
		case r.trigger.Policy.Suspend:
			return fmt.Errorf("deliver event %q to trigger %q: %w", ev.ID, t, ErrSuspended)
		}
		return (&sink{runners: []*runner{r}, stop: stop, ignoreSubscription: true}).Deliver(ctx, ev, d)
	}
	return fmt.Errorf("deliver event %q to trigger %q: %w", ev.ID, t, ErrNotRunning)
}
