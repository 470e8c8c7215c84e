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

package webhook

import (
	"context"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// deliver delivers the pending events, then the backlog in the store, until there is
// neither.
func (r *receiver) deliver(ctx context.Context, sink source.Sink) error {
	for {
		next, ok := r.next()
		if ok {
			if err := r.deliverEvent(ctx, sink, next); err != nil {
				return err
			}
			continue
		}
		if !r.takeBacklog() {
			return nil
		}
		if err := r.replay(ctx, sink); err != nil {
			return err
		}
	}
}

// next removes and returns the oldest pending event.
func (r *receiver) next() (queuedEvent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == 0 {
		return queuedEvent{}, false
	}
	next := r.pending[0]
	r.pending = r.pending[1:]
	return next, true
}

// takeBacklog clears backlog and reports whether it was set. Events that are received
// from now on are added to pending.
func (r *receiver) takeBacklog() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	had := r.backlog
	r.backlog = false
	return had
}

// replay delivers the stored events that are not in memory.
func (r *receiver) replay(ctx context.Context, sink source.Sink) error {
	for ev, err := range r.queue.Pending(ctx, r.name()) {
		if err != nil {
			r.markBacklog()
			return err
		}
		if !r.claimStored(ev.ID) {
			continue
		}
		ev.Source = Type
		size := memorySize(ev.Data)
		if err := r.memory.Acquire(ctx, size); err != nil {
			r.markStored(ev.ID)
			return err
		}
		if err := r.deliverEvent(ctx, sink, queuedEvent{ev, size}); err != nil {
			return err
		}
	}
	return nil
}

// claimStored marks a stored event as in memory, and reports whether it is to be
// delivered.
func (r *receiver) claimStored(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := newDedupKey(id)
	d, known := r.dedup.entries[k]
	switch {
	case !known:
		r.dedup.entries[k] = &delivery{state: stateInMemory}
		return true
	case d.state == stateStored:
		d.state = stateInMemory
		return true
	case d.state == stateDone:
		// Either the ack was lost in a crash, or it is still being written.
		r.Saver.Ack(r.name(), id)
	}
	return false
}

// deliverEvent delivers an event to the engine. If that fails, the event stays in the
// store and is read from it again.
func (r *receiver) deliverEvent(ctx context.Context, sink source.Sink, next queuedEvent) error {
	ev := next.event
	err := sink.Deliver(ctx, ev, source.Delivery{Done: func() { r.ack(ev.ID, next.size) }})
	if err != nil {
		r.memory.Release(next.size)
		r.markStored(ev.ID)
	}
	return err
}

// ack acknowledges an event: it is removed from memory and from the queue, and its
// delivery is remembered as done.
func (r *receiver) ack(id string, size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memory.Release(size)
	r.Saver.Save(r.name(), r.dedup.complete(newDedupKey(id), r.Clock.Now()))
	r.Saver.Ack(r.name(), id)
}

// markStored marks an event as in the store only.
func (r *receiver) markStored(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dedup.entries[newDedupKey(id)].state = stateStored
	r.backlog = true
}

// markBacklog sets backlog.
func (r *receiver) markBacklog() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.backlog = true
}

// memorySize estimates the memory of data, in bytes, at most MaxMemoryBytes.
func memorySize(data any) int64 { return min(event.Size(data), MaxMemoryBytes) }
