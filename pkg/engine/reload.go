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
	"math/rand/v2"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// reloadTimeout is the timeout of one attempt to read an event's data again.
const reloadTimeout = 30 * time.Second

// newDelivery returns the delivery of ev, with its size.
func newDelivery(ev event.Event, options source.Delivery) *delivery {
	d := &delivery{event: ev, options: options, ack: &ack{done: options.Done}}
	if ev.Old != nil {
		d.kept = event.Size(ev.Old)
	}
	switch {
	case ev.Data == nil:
	case options.Reload != nil:
		d.size = event.Size(ev.Data)
	default:
		d.kept += event.Size(ev.Data)
	}
	return d
}

// withoutData returns d with only as much data as identifies the object.
func (d *delivery) withoutData() *delivery {
	out := *d
	out.event.Data, out.unloaded = event.Identity(d.event.Data), true
	return &out
}

// bytes returns the bytes of the budget that d takes.
func (d *delivery) bytes() int64 {
	if d.unloaded {
		return d.kept
	}
	return d.kept + d.size
}

// hold takes the bytes of a new task. It waits for those that stay in memory, and drops
// the event's data if the trigger may not hold that. It returns the errors of share.queue.
func (t *Task) hold(ctx context.Context, stop <-chan struct{}) error {
	d, m := t.delivery.Load(), t.runner.memory
	switch {
	case d.kept == 0:
	case t.rejected: // overflow slots limit its memory
		m.take(d.kept)
	default:
		if err := m.queue(ctx, stop, d.kept); err != nil {
			return err
		}
	}
	t.held = d.kept
	switch {
	case d.size == 0:
	case m.hold(d.size, queueing):
		t.held += d.size
	default:
		m.unloaded.Add(1)
		t.delivery.Store(d.withoutData())
	}
	return nil
}

// replace makes d the delivery of t, and takes its bytes instead of those held.
func (t *Task) replace(d *delivery) {
	m := t.runner.memory
	m.take(d.bytes())
	if d.unloaded {
		m.unloaded.Add(1)
	}
	t.free()
	t.held = d.bytes()
	t.delivery.Store(d)
}

// free releases the bytes that t holds.
func (t *Task) free() {
	m := t.runner.memory
	if t.delivery.Load().unloaded {
		m.unloaded.Add(-1)
	}
	m.release(t.held)
	t.held = 0
	if t.exceeding {
		t.exceeding = false
		m.endExceeding()
	}
}

// unloadIfCrowded drops the data of the event, which is about to wait, if the trigger
// holds more than it may for events that wait.
func (t *Task) unloadIfCrowded() {
	if d := t.delivery.Load(); d.size > 0 && !d.unloaded && (t.exceeding || t.runner.memory.crowded()) {
		t.replace(d.withoutData())
	}
}

// load reads the data of the event again, if it was dropped. It waits until the trigger
// may hold it. If it returns false, the stage ends with res.
func (t *Task) load(ctx context.Context) (res Result, loaded bool) {
	d, r := t.delivery.Load(), t.runner
	if !d.unloaded {
		return Result{}, true
	}
	exceeding, err := r.memory.handle(ctx, r.closing, d.size)
	if err != nil {
		return stop(), false
	}
	start := r.clock.Now()
	data, latest, err := d.reload(ctx)
	if err != nil {
		r.memory.release(d.size)
		if exceeding {
			r.memory.endExceeding()
		}
		return t.reloadFailed(ctx, start, err), false
	}
	t.reloads = 0
	full := *d
	full.event.Data, full.size, full.unloaded = data, event.Size(data), false
	t.replace(&full)
	t.exceeding = exceeding
	r.memory.release(d.size)
	decision := r.newDecision(t.Event(), Reloaded, "")
	if latest {
		decision.Reason = ReasonLatestState
	}
	decision.Duration = decision.Time.Sub(start)
	r.report.decision(decision)
	return Result{}, true
}

func (d *delivery) reload(ctx context.Context) (data map[string]any, latest bool, err error) {
	defer panicerr.Recover(&err)
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	return d.options.Reload(ctx)
}

// reloadFailed returns the result of a failed attempt to read the data again. It is
// retried as a failed action is, unless the object is gone.
func (t *Task) reloadFailed(ctx context.Context, start time.Time, err error) Result {
	r := t.runner
	err = fmt.Errorf("read the event's data again: %w", err)
	switch {
	case ctx.Err() != nil:
		return stop()
	case errors.Is(err, source.ErrGone) && t.deleteFollows():
		return Suppress(ReasonObjectGone)
	case errors.Is(err, source.ErrGone):
		return DeadLetter(ReasonObjectGone, err)
	}
	t.reloads++
	if t.reloads > *t.policy().Retry.Limit {
		return DeadLetter(ReasonReload, err)
	}
	d := r.newDecision(t.Event(), Failed, ReasonReload)
	d.Err, d.Duration = err, d.Time.Sub(start)
	d.RetryIn = t.policy().Retry.Backoff.delayAtLeast(t.reloads, retryAfter(err), rand.Float64())
	r.report.decision(d)
	return pause(d.RetryIn)
}

// deleteFollows reports whether the trigger gets the delete event of the event's object.
func (t *Task) deleteFollows() bool {
	deleted := *t.Event()
	deleted.Type, deleted.Old = event.Delete, nil
	return t.runner.trigger.Subscription.Skip(deleted, source.Delivery{}) == ""
}
