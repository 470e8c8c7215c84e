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

	"github.com/kubevela/kube-trigger/pkg/event"
)

// absorbEvery is the number of events after which a debouncing key queue merges
// those that are waiting, so that they free their slots early.
const absorbEvery = 8

// debounce is the stage that merges the events of one key within the trigger's
// debounce window into one event. The merged events are acknowledged together
// with that event, so that a crash loses none. Each costs only an ack until then.
func (r *runner) debounce(ctx context.Context, t *task) result {
	for {
		next, ok, err := r.absorb(ctx, t)
		if err != nil {
			return result{next: stopped}
		}
		if !ok {
			break
		}
		r.releaseSlot()
		next.delivery = nil
	}
	if wait := r.trigger.Policy.Debounce - r.clock.Since(t.queuedAt); wait > 0 {
		return result{next: paused, wait: wait, absorbing: true}
	}
	return result{next: proceed}
}

// absorb removes the event behind t from the key queue and merges it into t,
// unless the trigger caused that event itself. ok is false if there was none.
func (r *runner) absorb(ctx context.Context, t *task) (next *task, ok bool, err error) {
	r.mu.Lock()
	next = t.next
	r.mu.Unlock()
	if next == nil {
		return nil, false, nil
	}
	own := false
	if r.trigger.LoopDetector != nil {
		if own, err = r.trigger.LoopDetector.OwnWrite(ctx, *next.event()); err != nil {
			return nil, false, err
		}
		own = own && !r.trigger.Policy.AllowSelfTrigger
	}
	before, writer := *t.event(), t.lastWriter()
	r.mu.Lock()
	if t.next != next { // t was requeued meanwhile
		r.mu.Unlock()
		return nil, false, nil
	}
	t.next, next.next = next.next, nil
	if t.queue.tail == next {
		t.queue.tail = t
	}
	next.settled = true
	if !own {
		merged := merge(before, *next.event())
		t.merged, t.writer, t.absorbed = &merged, next.lastWriter(), append(t.absorbed, next.delivery.ack)
		t.external = t.external || r.trigger.LoopDetector != nil &&
			!(r.trigger.LoopDetector.Circular(before, writer) && r.trigger.LoopDetector.Circular(merged, t.writer))
	}
	r.mu.Unlock()
	if own {
		r.report.decision(r.newDecision(next.event(), Suppressed, ReasonOwnWrite))
		next.complete()
	} else {
		r.report.decision(r.newDecision(&before, Suppressed, ReasonDebounced))
	}
	return next, true, nil
}

// merge returns one event for both: the old state before first, the new state
// after second.
func merge(first, second event.Event) event.Event {
	merged := second
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
