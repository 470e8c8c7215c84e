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
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Debounce is the stage that merges the events of one key within the window of the
// trigger's policy into one event. The merged events are acknowledged together with
// that event, so that a crash loses none. Each costs only an ack until then.
type Debounce struct {
	// Detector is used to suppress events that the trigger caused itself; nil for
	// none.
	Detector LoopDetector
}

// Handle implements Stage.
func (s Debounce) Handle(ctx context.Context, t *Task) Result {
	if t.policy().Debounce == 0 {
		return Proceed()
	}
	for {
		next := t.runner.queue.behind(t)
		if next == nil {
			break
		}
		if err := s.absorb(ctx, t, next); err != nil {
			return stop()
		}
	}
	if wait := t.policy().Debounce - t.runner.clock.Since(t.queuedAt); wait > 0 {
		return Result{next: paused, wait: wait, absorbing: true}
	}
	return Proceed()
}

// absorb removes next, which is behind t, from the queue and merges it into t,
// unless the trigger caused it itself.
func (s Debounce) absorb(ctx context.Context, t, next *Task) error {
	r, own := t.runner, false
	if s.Detector != nil {
		var err error
		if own, err = s.Detector.OwnWrite(ctx, *next.Event()); err != nil {
			return err
		}
		own = own && !t.policy().AllowSelfTrigger
	}
	if !r.queue.remove(t, next) || !next.settle() {
		return nil
	}
	if own {
		r.report.decision(r.newDecision(next.Event(), Suppressed, ReasonOwnWrite))
		next.free()
		next.complete()
	} else {
		r.merge(t, next, s.Detector)
	}
	r.slots.release(false)
	return nil
}

// merge merges next, which is removed from the queue and settled, into t. detector may
// be nil.
func (r *runner) merge(t, next *Task, detector LoopDetector) {
	before := t.delivery.Load()
	t.absorb(next)
	t.external = t.external || detector != nil &&
		!(detector.Circular(before.event) && detector.Circular(*t.Event()))
	r.report.decision(r.newDecision(&before.event, Suppressed, ReasonDebounced))
}

// mergeBehind passes the updates behind t through the stages before that of t, without
// their windows, and merges those that remain into t, up to the next event of another
// type. merged is called with the time of
// each. It returns true if the engine stops.
func (r *runner) mergeBehind(ctx context.Context, t *Task, detector LoopDetector, merged func(received time.Time)) (stopping bool) {
	for next := r.queue.behind(t); next != nil && next.Event().Type == event.Update; next = r.queue.behind(t) {
		res := r.catchUp(ctx, next, t.stage)
		switch res.next {
		case stopped:
			return true
		case paused, moved:
			return false
		}
		if !r.queue.remove(t, next) {
			return true
		}
		if res.next != proceed {
			r.finish(next, res)
			continue
		}
		if !next.settle() {
			continue
		}
		merged(next.Event().Time)
		r.merge(t, next, detector)
		r.slots.release(false)
	}
	return false
}

// catchUp runs the stages of t before stage, except Debounce.
func (r *runner) catchUp(ctx context.Context, t *Task, stage int) Result {
	for ; t.stage < stage; t.stage++ {
		if _, window := r.trigger.Stages[t.stage].(Debounce); window {
			continue
		}
		if res := r.trigger.Stages[t.stage].Handle(ctx, t); res.next != proceed {
			return res
		}
	}
	return Proceed()
}

// absorb makes the event of t one event for both. t takes over the data of next, and
// what it holds.
func (t *Task) absorb(next *Task) {
	first, second := t.delivery.Load(), next.delivery.Load()
	merged := *second
	merged.event, merged.ack = merge(first.event, second.event), first.ack
	t.absorbed = append(t.absorbed, second.ack)
	merged.kept += event.Size(merged.event.Old) - event.Size(second.event.Old)
	t.replace(&merged)
	next.free()
}

// merge returns one event for both: the old state before first, the new state
// after second. Of different objects, it is second. first.Batch becomes that of both.
func merge(first, second event.Event) event.Event {
	merged := second
	if merged.Batch = first.Batch; first.Batch != nil {
		first.Batch.Add(second)
	}
	if first.OrderingKey() != second.OrderingKey() {
		return merged
	}
	if second.Type != event.Update {
		return merged
	}
	switch first.Type {
	case event.Create, event.Sync:
		merged.Type, merged.Old = first.Type, nil
	case event.Update:
		merged.Old = first.Old
	}
	return merged
}
