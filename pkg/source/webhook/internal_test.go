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
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// TestSecretIsNotPrinted, however it is printed.
func TestSecretIsNotPrinted(t *testing.T) {
	s := newSecret([]byte("hidden"))
	for _, of := range []any{s, &s, struct{ S secret }{s}, []secret{s}, map[string]secret{"a": s}, secretEntry{secret: s}} {
		text := ""
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text += fmt.Sprintf(verb, of) + "\n"
		}
		encoded, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		text += string(encoded)
		for _, hidden := range []string{"hidden", "68696464656e", "104 105", "0x68", "aGlkZGVu"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%T: %s", of, text)
			}
		}
	}
}

// TestDeliveriesAreForgotten: the old ones, and of too many the oldest, but none
// that could be repeated.
func TestDeliveriesAreForgotten(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	fill := func(n int, replayable time.Duration) *dedupCache {
		d := &dedupCache{entries: map[dedupKey]*delivery{}, replayWindow: replayable}
		for i := range n {
			d.complete(newDedupKey(strconv.Itoa(i)), start.Add(time.Duration(i)*time.Millisecond))
		}
		return d
	}
	knows := func(d *dedupCache, i int) bool {
		_, ok := d.entries[newDedupKey(strconv.Itoa(i))]
		return ok
	}
	d := fill(3, 0)
	c := d.complete(newDedupKey("new"), start.Add(DedupTTL+time.Millisecond))
	if knows(d, 0) || knows(d, 1) || !knows(d, 2) || len(c.Inventory) != 3 {
		t.Errorf("by age: left %v, change %v", d.completed, c.Inventory)
	}
	full := fill(MaxDedupEntries, 0)
	if gone := full.evict(start.Add(time.Minute)); len(gone) != 1 || knows(full, 0) || !knows(full, 1) {
		t.Errorf("by number: %d gone", len(gone))
	}
	full = fill(MaxDedupEntries, time.Hour)
	if gone := full.evict(start.Add(time.Minute)); len(gone) != 0 {
		t.Errorf("%d gone that could be repeated", len(gone))
	}
}

// TestDeliveriesAreRestored with what is known of them, in their order.
func TestDeliveriesAreRestored(t *testing.T) {
	var old dedupCache
	old.entries = map[dedupKey]*delivery{}
	saved := map[string]store.Entry{"of a later version": {ResourceVersion: "x"}}
	for i := range 10 {
		for name, e := range old.complete(newDedupKey(strconv.Itoa(i)), time.Unix(int64(1000-i), 0)).Inventory {
			saved[name] = *e
		}
	}
	var d dedupCache
	d.restore(saved)
	if len(d.entries) != 10 || len(d.completed) != 10 {
		t.Fatalf("%d, %d", len(d.entries), len(d.completed))
	}
	for i, p := range d.completed {
		if want := newDedupKey(strconv.Itoa(9 - i)); p.key != want || d.entries[want].state != stateDone {
			t.Errorf("%d: %v", i, p)
		}
	}
}
