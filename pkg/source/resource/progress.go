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
	// positionNone is the saved position of a watch whose first list is not complete:
	// the objects that it then finds are no news.
	positionNone = ""
	// positionRelist is the saved position of a watch that has to compare all objects
	// with its inventory, because the stream broke off.
	positionRelist = "0"
)

// checkpointer is what of a watch is done, and saves it. Where it has no save it
// only keeps the mark. It is safe for concurrent use.
//
// What is saved is such that whoever starts from it sees again all that is not
// done: the position is below the first event that is not, and the inventory has
// each object as its last event left it before which no other of its events is
// open. Since all events of an object up to the version in the inventory are
// done, a stream that begins at the position brings nothing twice. For that,
// objects that are gone stay in the inventory, as graves, until the position has
// passed them.
type checkpointer struct {
	watermark watermark
	save      func(store.Change)

	mu sync.Mutex
	// pending are the events of each object from the oldest that is not done on.
	pending    map[string][]*pendingEvent
	tombstones map[string]version
	// tombstoneOrder are the graves in the order in which they were made.
	tombstoneOrder []tombstone
	// savedPosition is the one that was saved last.
	savedPosition string
}

// pendingEvent is an event of an object, and what it leaves.
type pendingEvent struct {
	update inventoryUpdate
	done   bool
}

// inventoryUpdate is what an event leaves of an object: its entry; or none, and the
// version at which it went, 0 where that is not known.
type inventoryUpdate struct {
	entry     *store.Entry
	deletedAt version
}

type tombstone struct {
	key string
	version
}

func newCheckpointer(save func(store.Change)) *checkpointer {
	return &checkpointer{save: save, pending: map[string][]*pendingEvent{}, tombstones: map[string]version{}}
}

// restore takes over what was saved: a position, and the graves above it.
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

// begin opens a place for an event of the object at key that is about to be
// delivered; see mark.Begin.
func (c *checkpointer) begin(key, reached string, update inventoryUpdate) (done, cancel func()) {
	commitPosition, cancelPosition := c.watermark.Begin(reached)
	if c.save == nil {
		return commitPosition, cancelPosition
	}
	s := &pendingEvent{update: update}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[key] = append(c.pending[key], s)
	done = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		commitPosition()
		s.done = true
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

// advance notes that the stream has reached resourceVersion.
func (c *checkpointer) advance(resourceVersion string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watermark.Advance(resourceVersion)
	c.saveChange(nil)
}

// reset notes that the stream broke off, and has to go on from position.
func (c *checkpointer) reset(position string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watermark.Reset(position)
	entries := make(map[string]*store.Entry, len(c.tombstones))
	for key := range c.tombstones {
		entries[key] = nil
	}
	clear(c.tombstones)
	c.tombstoneOrder = nil
	c.saveChange(entries)
}

// saveEntries saves entries that no event is needed for, behind what is open of their
// objects. It takes entries over.
func (c *checkpointer) saveEntries(entries map[string]*store.Entry) {
	if c.save == nil || len(entries) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range entries {
		if events, open := c.pending[key]; open {
			c.pending[key] = append(events, &pendingEvent{update: inventoryUpdate{entry: e}, done: true})
			delete(entries, key)
		}
	}
	c.saveChange(entries)
}

// commit saves what the events at the front of a chain leave that are done.
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
	entry := update.entry
	if entry == nil && update.deletedAt != 0 && c.aboveWatermark(update.deletedAt) {
		entry = newTombstone(update.deletedAt)
		c.tombstones[key] = update.deletedAt
		c.tombstoneOrder = append(c.tombstoneOrder, tombstone{key, update.deletedAt})
	}
	c.saveChange(map[string]*store.Entry{key: entry})
}

// aboveWatermark reports whether v is above the mark.
func (c *checkpointer) aboveWatermark(v version) bool {
	committed, _ := c.watermark.Committed()
	return committed == positionNone || versionOf(committed).before(v)
}

// saveChange saves entries, and the mark if that has moved, with the graves that it
// has passed.
func (c *checkpointer) saveChange(entries map[string]*store.Entry) {
	if c.save == nil {
		return
	}
	for len(c.tombstoneOrder) > 0 && !c.aboveWatermark(c.tombstoneOrder[0].version) {
		g := c.tombstoneOrder[0]
		c.tombstoneOrder = c.tombstoneOrder[1:]
		if c.tombstones[g.key] != g.version {
			continue
		}
		delete(c.tombstones, g.key)
		if entries == nil {
			entries = map[string]*store.Entry{}
		}
		if _, newer := entries[g.key]; !newer {
			entries[g.key] = nil
		}
	}
	change := store.Change{Inventory: entries}
	if committed, _ := c.watermark.Committed(); committed != c.savedPosition {
		c.savedPosition = committed
		change.Watermark = &store.Watermark{Position: committed}
	}
	if change.Watermark != nil || len(entries) > 0 {
		c.save(change)
	}
}
