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

// deliveryState is how far a delivery has come.
type deliveryState uint8

const (
	// stateStoring is being stored; nobody knows yet whether that succeeds.
	stateStoring deliveryState = iota
	// stateStored is in the store only.
	stateStored
	// stateInMemory is in memory, too: queued here, or handed to the engine.
	stateInMemory
	// stateDone is done. It may be in the store for a moment more.
	stateDone
)

// dedupKey stands for the ID of an event.
type dedupKey [16]byte

func newDedupKey(id string) dedupKey {
	sum := sha256.Sum256([]byte(id))
	return dedupKey(sum[:len(dedupKey{})])
}

func (k dedupKey) String() string { return hex.EncodeToString(k[:]) }

// delivery is what is known of one.
type delivery struct {
	state deliveryState
	// settled is closed when it is no longer being stored.
	settled chan struct{}
}

// dedupCache are those of one hook that are not done, and the last that are.
type dedupCache struct {
	entries map[dedupKey]*delivery
	// completed are those that are done, the oldest first.
	completed []completedDelivery
	// replayWindow is how long one that is done must not be forgotten.
	replayWindow time.Duration
}

type completedDelivery struct {
	key         dedupKey
	completedAt time.Time
}

// restore takes over what was saved.
func (d *dedupCache) restore(inventory map[string]store.Entry) {
	d.entries, d.completed = map[dedupKey]*delivery{}, nil
	for text, e := range inventory {
		var k dedupKey
		seconds, err := strconv.ParseInt(e.ResourceVersion, 10, 64)
		if n, bad := hex.Decode(k[:], []byte(text)); err != nil || bad != nil || n != len(k) {
			continue // written by a later version, which knows more
		}
		d.entries[k] = &delivery{state: stateDone}
		d.completed = append(d.completed, completedDelivery{k, time.Unix(seconds, 0)})
	}
	slices.SortFunc(d.completed, func(a, b completedDelivery) int {
		return cmp.Or(a.completedAt.Compare(b.completedAt), slices.Compare(a.key[:], b.key[:]))
	})
}

// evict forgets what is too old, or too much, and returns that. What is left
// may still be as much as there may be.
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
	for i, p := range d.completed[:n] {
		evicted[i] = p.key
		delete(d.entries, p.key)
	}
	d.completed = d.completed[n:]
	return evicted
}

// complete takes note that a delivery is done, and returns what that changes in
// the store.
func (d *dedupCache) complete(k dedupKey, now time.Time) store.Change {
	c := store.Change{Inventory: map[string]*store.Entry{}}
	for _, old := range d.evict(now) {
		c.Inventory[old.String()] = nil
	}
	d.entries[k] = &delivery{state: stateDone}
	d.completed = append(d.completed, completedDelivery{k, now})
	c.Inventory[k.String()] = &store.Entry{ResourceVersion: strconv.FormatInt(now.Unix(), 10)}
	return c
}
