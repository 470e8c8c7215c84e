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
func (i *intake) deliver(ctx context.Context, sink source.Sink) error {
	for {
		next, more := i.next()
		if more {
			if err := i.hand(ctx, sink, next); err != nil {
				return err
			}
			continue
		}
		if !i.catchUp() {
			return nil
		}
		if err := i.replay(ctx, sink); err != nil {
			return err
		}
	}
}

func (i *intake) next() (item, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.queue) == 0 {
		return item{}, false
	}
	next := i.queue[0]
	i.queue = i.queue[1:]
	return next, true
}

// catchUp reports whether there is more in the store than here. What is stored
// from now on is held here, too.
func (i *intake) catchUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.behind
	i.behind = false
	return was
}

// replay delivers what is only in the store.
func (i *intake) replay(ctx context.Context, sink source.Sink) error {
	for ev, err := range i.spool.Spooled(ctx, i.name()) {
		if err != nil {
			i.lose()
			return err
		}
		if !i.pick(ev.ID) {
			continue
		}
		ev.Source = Type
		size := weigh(ev.Data)
		if err := i.memory.Acquire(ctx, size); err != nil {
			i.drop(ev.ID)
			return err
		}
		if err := i.hand(ctx, sink, item{ev, size}); err != nil {
			return err
		}
	}
	return nil
}

// pick reports whether an event of the store is to be delivered, and takes note
// that it is.
func (i *intake) pick(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	k := keyOf(id)
	d, known := i.deliveries.all[k]
	switch {
	case !known:
		i.deliveries.all[k] = &delivery{state: held}
		return true
	case d.state == stored:
		d.state = held
		return true
	case d.state == done:
		// It was done, and the release got lost in a crash; or it is on its way.
		i.Saver.Release(i.name(), id)
	}
	return false
}

// hand hands an event to the engine. What the engine does not take stays in the
// store, and is read from there again.
func (i *intake) hand(ctx context.Context, sink source.Sink, next item) error {
	ev := next.event
	err := sink.Deliver(ctx, ev, func() { i.done(ev.ID, next.size) })
	if err != nil {
		i.memory.Release(next.size)
		i.drop(ev.ID)
	}
	return err
}

// done takes note that an event is done.
func (i *intake) done(id string, size int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.memory.Release(size)
	i.Saver.Save(i.name(), i.deliveries.finish(keyOf(id), i.Clock.Now()))
	i.Saver.Release(i.name(), id)
}

// drop takes note that an event is in the store only.
func (i *intake) drop(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deliveries.all[keyOf(id)].state = stored
	i.behind = true
}

// lose takes note that not all of the store was read.
func (i *intake) lose() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.behind = true
}

// What a value takes in memory, about, in bytes: an interface that holds it, and
// an entry of a map.
const (
	valueSize = 32
	entrySize = 64
)

// weigh returns about how many bytes data takes in memory, at most MaxHeld.
func weigh(data any) int64 {
	return min(weight(data), MaxHeld)
}

func weight(data any) int64 {
	size := int64(valueSize)
	switch v := data.(type) {
	case string:
		size += int64(len(v))
	case []any:
		for _, e := range v {
			size += weight(e)
		}
	case map[string]any:
		for name, e := range v {
			size += entrySize + int64(len(name)) + weight(e)
		}
	}
	return size
}
