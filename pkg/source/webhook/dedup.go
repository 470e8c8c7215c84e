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
	"encoding/binary"
	"encoding/hex"
	"slices"
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

// restore replaces the contents by the values of a checkpoint: by key, the time of
// completion, as a varint in seconds.
func (d *dedupCache) restore(values map[string][]byte) {
	d.entries, d.completed = map[dedupKey]*delivery{}, nil
	for name, value := range values {
		var k dedupKey
		seconds, size := binary.Varint(value)
		if n, err := hex.Decode(k[:], []byte(name)); err != nil || n != len(k) || size <= 0 {
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
	c := store.Change{Values: map[string][]byte{}}
	for _, evicted := range d.evict(now) {
		c.Values[evicted.String()] = nil
	}
	d.entries[k] = &delivery{state: stateDone}
	d.completed = append(d.completed, completedDelivery{k, now})
	c.Values[k.String()] = binary.AppendVarint(nil, now.Unix())
	return c
}
