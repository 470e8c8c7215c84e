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
	"strconv"
	"testing"
	"time"
)

// TestDedupCache_Evict evicts expired deliveries, and the oldest ones of a full cache,
// but none within its replay window.
func TestDedupCache_Evict(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	fill := func(n int, replayable time.Duration) *dedupCache {
		d := &dedupCache{entries: map[dedupKey]*delivery{}, replayWindow: replayable}
		for i := range n {
			d.complete(newDedupKey(strconv.Itoa(i)), start.Add(time.Duration(i)*time.Millisecond))
		}
		return d
	}
	has := func(d *dedupCache, i int) bool {
		_, ok := d.entries[newDedupKey(strconv.Itoa(i))]
		return ok
	}
	d := fill(3, 0)
	c := d.complete(newDedupKey("new"), start.Add(DedupTTL+time.Millisecond))
	if has(d, 0) || has(d, 1) || !has(d, 2) || len(c.Values) != 3 {
		t.Errorf("by age: %v remain, change %v", d.completed, c.Values)
	}
	full := fill(MaxDedupEntries, 0)
	if evicted := full.evict(start.Add(time.Minute)); len(evicted) != 1 || has(full, 0) || !has(full, 1) {
		t.Errorf("by number: %d evicted", len(evicted))
	}
	full = fill(MaxDedupEntries, time.Hour)
	if evicted := full.evict(start.Add(time.Minute)); len(evicted) != 0 {
		t.Errorf("%d evicted within the replay window", len(evicted))
	}
}

// TestDedupCache_Restore restores completed deliveries in the order of completion.
func TestDedupCache_Restore(t *testing.T) {
	var old dedupCache
	old.entries = map[dedupKey]*delivery{}
	saved := map[string][]byte{"of a later version": []byte("x"), newDedupKey("no time").String(): {}}
	for i := range 10 {
		for name, e := range old.complete(newDedupKey(strconv.Itoa(i)), time.Unix(int64(1000-i), 0)).Values {
			saved[name] = e
		}
	}
	var d dedupCache
	d.restore(saved)
	if len(d.entries) != 10 || len(d.completed) != 10 {
		t.Fatalf("%d, %d", len(d.entries), len(d.completed))
	}
	for i, c := range d.completed {
		if want := newDedupKey(strconv.Itoa(9 - i)); c.key != want || d.entries[want].state != stateDone {
			t.Errorf("%d: %v", i, c)
		}
	}
}
