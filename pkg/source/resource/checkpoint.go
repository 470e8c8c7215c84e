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

package resource

import (
	"cmp"
	"slices"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/store"
)

const (
	// positionNone is the saved position before the initial list is complete. The
	// objects of that list are not events.
	positionNone = ""
	// positionRelist is the saved position of a watch that has to list all objects and
	// compare them with its inventory.
	positionRelist = "0"
)

// checkpointer tracks which events of a watch are done, and saves the checkpoint.
// Without save it only tracks the watermark. It is safe for concurrent use.
//
// A watch that starts from the checkpoint delivers all events that are not done, and
// no other. The saved position is below the first event that is not done. The saved
// inventory has each object in the state after its last event for which all earlier
// events of the object are done; so events up to that version are not repeated although
// they are above the position. For the same reason a deleted object stays in the
// inventory, as a tombstone, until the position has passed its deletion.
type checkpointer struct {
	watermark watermark
	save      func(store.Change)

	mu sync.Mutex
	// pending holds the events of each object, starting with the oldest that is not
	// done.
	pending    map[string][]*pendingEvent
	tombstones map[string]version
	// tombstoneOrder holds the tombstones in the order of their creation.
	tombstoneOrder []tombstone
	// savedPosition is the position that was saved last.
	savedPosition string
}

// pendingEvent is an event of an object, and its update of the inventory.
type pendingEvent struct {
	update inventoryUpdate
	done   bool
}

// inventoryUpdate is the state of an object after an event. It is nil after a deletion;
// deletedAt is then the version of the deletion, 0 if it is unknown.
type inventoryUpdate struct {
	object    *savedObject
	deletedAt version
}

type tombstone struct {
	key string
	version
}

func newCheckpointer(save func(store.Change)) *checkpointer {
	return &checkpointer{save: save, pending: map[string][]*pendingEvent{}, tombstones: map[string]version{}}
}

// restore restores the saved position and the tombstones above it.
func (c *checkpointer) restore(position string, tombstones map[string]version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.savedPosition = position
	c.watermark.Reset(position)
	for key, v := range tombstones {
		c.tombstones[key] = v
		c.tombstoneOrder = append(c.tombstoneOrder, tombstone{key, v})
	}
	slices.SortFunc(c.tombstoneOrder, func(a, b tombstone) int { return cmp.Compare(a.version, b.version) })
}

// begin adds an event of the object at key before it is delivered, like
// watermark.Begin.
func (c *checkpointer) begin(key, reached string, update inventoryUpdate) (done, cancel func()) {
	commitPosition, cancelPosition := c.watermark.Begin(reached)
	if c.save == nil {
		return commitPosition, cancelPosition
	}
	ev := &pendingEvent{update: update}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[key] = append(c.pending[key], ev)
	done = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		commitPosition()
		ev.done = true
		c.commit(key)
	}
	cancel = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		cancelPosition()
		events := c.pending[key]
		if events = events[:len(events)-1]; len(events) == 0 {
			delete(c.pending, key)
		} else {
			c.pending[key] = events
		}
	}
	return done, cancel
}

// advance adds a position that the stream has reached.
func (c *checkpointer) advance(resourceVersion string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watermark.Advance(resourceVersion)
	c.saveChange(nil)
}

// reset sets the position from which the watch continues after an interruption, and
// deletes all tombstones.
func (c *checkpointer) reset(position string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watermark.Reset(position)
	values := make(map[string][]byte, len(c.tombstones))
	for key := range c.tombstones {
		values[objectPrefix+key] = nil
	}
	clear(c.tombstones)
	c.tombstoneOrder = nil
	c.saveChange(values)
}

// saveObjects saves objects, by key, without an event, after the pending events of these
// objects are done.
func (c *checkpointer) saveObjects(objects map[string]*savedObject) {
	if c.save == nil || len(objects) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	values := make(map[string][]byte, len(objects))
	for key, o := range objects {
		if events, open := c.pending[key]; open {
			c.pending[key] = append(events, &pendingEvent{update: inventoryUpdate{object: o}, done: true})
		} else {
			values[objectPrefix+key] = o.encode()
		}
	}
	c.saveChange(values)
}

// commit saves the inventory update of the last event at key up to which all events
// are done.
func (c *checkpointer) commit(key string) {
	events := c.pending[key]
	n := 0
	for n < len(events) && events[n].done {
		n++
	}
	if n == 0 {
		c.saveChange(nil)
		return
	}
	update := events[n-1].update
	if n == len(events) {
		delete(c.pending, key)
	} else {
		c.pending[key] = events[n:]
	}
	delete(c.tombstones, key)
	object := update.object
	if object == nil && update.deletedAt != 0 && c.aboveWatermark(update.deletedAt) {
		object = newTombstone(update.deletedAt)
		c.tombstones[key] = update.deletedAt
		c.tombstoneOrder = append(c.tombstoneOrder, tombstone{key, update.deletedAt})
	}
	var value []byte
	if object != nil {
		value = object.encode()
	}
	c.saveChange(map[string][]byte{objectPrefix + key: value})
}

// aboveWatermark reports whether v is above the watermark.
func (c *checkpointer) aboveWatermark(v version) bool {
	committed, _ := c.watermark.Committed()
	return committed == positionNone || versionOf(committed).before(v)
}

// saveChange saves values and, if the watermark was raised, the position. It deletes the
// tombstones that the watermark has passed.
func (c *checkpointer) saveChange(values map[string][]byte) {
	if c.save == nil {
		return
	}
	for len(c.tombstoneOrder) > 0 && !c.aboveWatermark(c.tombstoneOrder[0].version) {
		t := c.tombstoneOrder[0]
		c.tombstoneOrder = c.tombstoneOrder[1:]
		if c.tombstones[t.key] != t.version {
			continue
		}
		delete(c.tombstones, t.key)
		if values == nil {
			values = map[string][]byte{}
		}
		if _, newer := values[objectPrefix+t.key]; !newer {
			values[objectPrefix+t.key] = nil
		}
	}
	change := store.Change{Values: values}
	if committed, _ := c.watermark.Committed(); committed != c.savedPosition {
		c.savedPosition = committed
		change.Cursor = &committed
	}
	if change.Cursor != nil || len(values) > 0 {
		c.save(change)
	}
}
