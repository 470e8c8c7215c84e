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
	"slices"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// absorbEvery is after how many events of one key a lane that waits for more
// merges them, so that they take no room meanwhile.
const absorbEvery = 8

// debounce is the stage that makes one event of those that follow each other
// within the trigger's window. Those that others stand for are done with them,
// so that a crash loses none. While they wait, they are no more than a counter.
func (r *runner) debounce(ctx context.Context, j *task) result {
	for {
		next, ok, err := r.absorb(ctx, j)
		if err != nil {
			return result{next: stopped}
		}
		if !ok {
			break
		}
		r.releaseSlot()
		next.delivery = nil
	}
	if wait := r.trigger.Policy.Debounce - r.clock.Since(j.queuedAt); wait > 0 {
		return result{next: paused, wait: wait, absorbing: true}
	}
	return result{next: proceed}
}

// absorb takes the event behind j out of their lane, and makes j stand for it,
// unless the trigger caused it by itself. It reports whether there was one.
func (r *runner) absorb(ctx context.Context, j *task) (next *task, ok bool, err error) {
	r.mu.Lock()
	next = j.next
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
	before := *j.event()
	r.mu.Lock()
	if j.next != next { // it was given back
		r.mu.Unlock()
		return nil, false, nil
	}
	j.next, next.next = next.next, nil
	if j.queue.tail == next {
		j.queue.tail = j
	}
	next.settled = true
	if !own {
		merged := merge(before, *next.event())
		j.merged, j.absorbed = &merged, append(j.absorbed, next.delivery.ack)
		j.external = j.external || r.trigger.LoopDetector != nil && !(r.trigger.LoopDetector.Circular(before) && r.trigger.LoopDetector.Circular(merged))
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

// merge returns the event that stands for both: what happened, seen from before
// the first, with the state after the second.
func merge(first, second event.Event) event.Event {
	merged := second
	if second.Type != event.Update {
		return merged
	}
	switch first.Type {
	case event.Create, event.Sync:
		merged.Type, merged.Old, merged.Unchanged = first.Type, nil, nil
	case event.Update:
		merged.Old = first.Old
		merged.Unchanged = slices.DeleteFunc(slices.Clone(second.Unchanged), func(field string) bool {
			return !slices.Contains(first.Unchanged, field)
		})
	}
	return merged
}
