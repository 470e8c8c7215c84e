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

	"github.com/kubevela/kube-trigger/pkg/source"
)

// deliver delivers all that is here, then all that is only in the store.
func (i *receiver) deliver(ctx context.Context, sink source.Sink) error {
	for {
		next, more := i.next()
		if more {
			if err := i.deliverItem(ctx, sink, next); err != nil {
				return err
			}
			continue
		}
		if !i.takeBacklog() {
			return nil
		}
		if err := i.replay(ctx, sink); err != nil {
			return err
		}
	}
}

func (i *receiver) next() (queuedEvent, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.pending) == 0 {
		return queuedEvent{}, false
	}
	next := i.pending[0]
	i.pending = i.pending[1:]
	return next, true
}

// takeBacklog reports whether there is more in the store than here. What is stored
// from now on is held here, too.
func (i *receiver) takeBacklog() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	had := i.backlog
	i.backlog = false
	return had
}

// replay delivers what is only in the store.
func (i *receiver) replay(ctx context.Context, sink source.Sink) error {
	for ev, err := range i.queue.Queued(ctx, i.name()) {
		if err != nil {
			i.markBacklog()
			return err
		}
		if !i.claimStored(ev.ID) {
			continue
		}
		ev.Source = Type
		size := memorySize(ev.Data)
		if err := i.memory.Acquire(ctx, size); err != nil {
			i.markStored(ev.ID)
			return err
		}
		if err := i.deliverItem(ctx, sink, queuedEvent{ev, size}); err != nil {
			return err
		}
	}
	return nil
}

// claimStored reports whether an event of the store is to be delivered, and takes note
// that it is.
func (i *receiver) claimStored(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	k := newDedupKey(id)
	d, known := i.dedup.entries[k]
	switch {
	case !known:
		i.dedup.entries[k] = &delivery{state: stateInMemory}
		return true
	case d.state == stateStored:
		d.state = stateInMemory
		return true
	case d.state == stateDone:
		// It was done, and the release got lost in a crash; or it is on its way.
		i.Saver.Ack(i.name(), id)
	}
	return false
}

// deliverItem hands an event to the engine. What the engine does not take stays in the
// store, and is read from there again.
func (i *receiver) deliverItem(ctx context.Context, sink source.Sink, next queuedEvent) error {
	ev := next.event
	err := sink.Deliver(ctx, ev, func() { i.ack(ev.ID, next.size) })
	if err != nil {
		i.memory.Release(next.size)
		i.markStored(ev.ID)
	}
	return err
}

// ack takes note that an event is done.
func (i *receiver) ack(id string, size int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.memory.Release(size)
	i.Saver.Save(i.name(), i.dedup.complete(newDedupKey(id), i.Clock.Now()))
	i.Saver.Ack(i.name(), id)
}

// markStored takes note that an event is in the store only.
func (i *receiver) markStored(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.dedup.entries[newDedupKey(id)].state = stateStored
	i.backlog = true
}

// markBacklog takes note that not all of the store was read.
func (i *receiver) markBacklog() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.backlog = true
}

// What a value takes in memory, about, in bytes: an interface that holds it, and
// an entry of a map.
const (
	valueSize = 32
	entrySize = 64
)

// memorySize returns about how many bytes data takes in memory, at most MaxHeld.
func memorySize(data any) int64 {
	return min(valueMemory(data), MaxMemoryBytes)
}

func valueMemory(data any) int64 {
	size := int64(valueSize)
	switch v := data.(type) {
	case string:
		size += int64(len(v))
	case []any:
		for _, e := range v {
			size += valueMemory(e)
		}
	case map[string]any:
		for name, e := range v {
			size += entrySize + int64(len(name)) + valueMemory(e)
		}
	}
	return size
}
