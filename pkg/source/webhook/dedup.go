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
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// deliveryState is the progress of a delivery.
type deliveryState uint8

const (
	// stateStoring: the event is being stored, which may still fail.
	stateStoring deliveryState = iota
	// stateStored: the event is in the store, and not in memory.
	stateStored
	// stateInMemory: the event is also in memory, pending or in the engine.
	stateInMemory
	// stateDone: the event is acknowledged. It may still be in the store for a moment.
	stateDone
)

// dedupKey is the truncated SHA-256 of an event's ID.
type dedupKey [16]byte

func newDedupKey(id string) dedupKey {
	sum := sha256.Sum256([]byte(id))
	return dedupKey(sum[:len(dedupKey{})])
}

func (k dedupKey) String() string { return hex.EncodeToString(k[:]) }

// delivery is an entry of the dedup cache.
type delivery struct {
	state deliveryState
	// settled is closed when stateStoring ends.
	settled chan struct{}
}

// dedupCache holds the deliveries of one hook: all that are not done, and the latest
// that are. It is not safe for concurrent use.
type dedupCache struct {
	entries map[dedupKey]*delivery
	// completed lists the deliveries that are done, oldest first.
	completed []completedDelivery
	// replayWindow is how long a completed delivery must not be evicted.
	replayWindow time.Duration
}

type completedDelivery struct {
	key         dedupKey
	completedAt time.Time
}

// restore replaces the contents by those of a checkpoint.
func (d *dedupCache) restore(inventory map[string]store.Entry) {
	d.entries, d.completed = map[dedupKey]*delivery{}, nil
	for text, e := range inventory {
		var k dedupKey
		seconds, err := strconv.ParseInt(e.ResourceVersion, 10, 64)
		if n, decodeErr := hex.Decode(k[:], []byte(text)); err != nil || decodeErr != nil || n != len(k) {
			continue // the format of a later version
		}
		d.entries[k] = &delivery{state: stateDone}
		d.completed = append(d.completed, completedDelivery{k, time.Unix(seconds, 0)})
	}
	slices.SortFunc(d.completed, func(a, b completedDelivery) int {
		return cmp.Or(a.completedAt.Compare(b.completedAt), slices.Compare(a.key[:], b.key[:]))
	})
}

// evict removes completed deliveries that are older than DedupTTL, and the oldest
// ones as long as MaxDedupEntries is reached, unless they are within the replay
// window. It returns the removed keys. The cache may still be full afterwards.
func (d *dedupCache) evict(now time.Time) []dedupKey {
	n := 0
	for n < len(d.completed) {
		age := now.Sub(d.completed[n].completedAt)
		if age < DedupTTL && (len(d.entries)-n < MaxDedupEntries || age < d.replayWindow) {
			break
		}
		n++
	}
	evicted := make([]dedupKey, n)
	for i, c := range d.completed[:n] {
		evicted[i] = c.key
		delete(d.entries, c.key)
	}
	d.completed = d.completed[n:]
	return evicted
}

// complete marks a delivery as done, and returns the change to the checkpoint.
func (d *dedupCache) complete(k dedupKey, now time.Time) store.Change {
	c := store.Change{Inventory: map[string]*store.Entry{}}
	for _, evicted := range d.evict(now) {
		c.Inventory[evicted.String()] = nil
	}
	d.entries[k] = &delivery{state: stateDone}
	d.completed = append(d.completed, completedDelivery{k, now})
	c.Inventory[k.String()] = &store.Entry{ResourceVersion: strconv.FormatInt(now.Unix(), 10)}
	return c
}
