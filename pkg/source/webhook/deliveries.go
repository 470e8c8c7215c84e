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

// state is how far a delivery has come.
type state uint8

const (
	// storing is being stored; nobody knows yet whether that succeeds.
	storing state = iota
	// stored is in the store only.
	stored
	// held is in memory, too: queued here, or handed to the engine.
	held
	// done is done. It may be in the store for a moment more.
	done
)

// key stands for the ID of an event.
type key [16]byte

func keyOf(id string) key {
	sum := sha256.Sum256([]byte(id))
	return key(sum[:len(key{})])
}

func (k key) String() string { return hex.EncodeToString(k[:]) }

// delivery is what is known of one.
type delivery struct {
	state state
	// over is closed when it is no longer being stored.
	over chan struct{}
}

// deliveries are those of one hook that are not done, and the last that are.
type deliveries struct {
	all map[key]*delivery
	// past are those that are done, the oldest first.
	past []past
	// replayable is how long one that is done must not be forgotten.
	replayable time.Duration
}

type past struct {
	key key
	at  time.Time
}

// restore takes over what was saved.
func (d *deliveries) restore(inventory map[string]store.Entry) {
	d.all, d.past = map[key]*delivery{}, nil
	for text, e := range inventory {
		var k key
		seconds, err := strconv.ParseInt(e.ResourceVersion, 10, 64)
		if n, bad := hex.Decode(k[:], []byte(text)); err != nil || bad != nil || n != len(k) {
			continue // written by a later version, which knows more
		}
		d.all[k] = &delivery{state: done}
		d.past = append(d.past, past{k, time.Unix(seconds, 0)})
	}
	slices.SortFunc(d.past, func(a, b past) int { return cmp.Or(a.at.Compare(b.at), slices.Compare(a.key[:], b.key[:])) })
}

// forget forgets what is too old, or too much, and returns that. What is left
// may still be as much as there may be.
func (d *deliveries) forget(now time.Time) []key {
	n := 0
	for n < len(d.past) {
		age := now.Sub(d.past[n].at)
		if age < SeenFor && (len(d.all)-n < MaxSeen || age < d.replayable) {
			break
		}
		n++
	}
	gone := make([]key, n)
	for i, p := range d.past[:n] {
		gone[i] = p.key
		delete(d.all, p.key)
	}
	d.past = d.past[n:]
	return gone
}

// finish takes note that a delivery is done, and returns what that changes in
// the store.
func (d *deliveries) finish(k key, now time.Time) store.Change {
	c := store.Change{Inventory: map[string]*store.Entry{}}
	for _, old := range d.forget(now) {
		c.Inventory[old.String()] = nil
	}
	d.all[k] = &delivery{state: done}
	d.past = append(d.past, past{k, now})
	c.Inventory[k.String()] = &store.Entry{ResourceVersion: strconv.FormatInt(now.Unix(), 10)}
	return c
}
