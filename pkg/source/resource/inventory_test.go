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
	"fmt"
	"runtime"
	"testing"

	"github.com/google/uuid"
)

func TestInventory_UIDs(t *testing.T) {
	i := newInventory()
	for _, uid := range []string{
		"0b1c2d3e-0000-4000-8000-123456789abc",
		"0B1C2D3E-0000-4000-8000-123456789ABC", // not the canonical form of a UUID
		"sixteen-letters-", "", "of-no-particular-form",
	} {
		i.put("a/b", uid, "1")
		if got := i.uid("a/b"); got != uid {
			t.Errorf("put %q, got %q", uid, got)
		}
	}
	i.put("a/b", "odd", "1")
	i.remove("a/b")
	if len(i.entries) != 0 || len(i.nonUUIDs) != 0 {
		t.Errorf("not empty after remove: %v", i)
	}
}

func TestVersion(t *testing.T) {
	for _, tc := range []struct {
		v, other      string
		same, earlier bool
	}{
		{"9", "10", false, true},
		{"10", "9", false, false},
		{"10", "10", true, false},
		{"x", "x", true, false},
		{"x", "y", false, false},
		{"y", "x", false, false},
		{"5", "x", false, false},
		{"x", "5", false, false},
	} {
		v, other := versionOf(tc.v), versionOf(tc.other)
		if (v == other) != tc.same || v.before(other) != tc.earlier {
			t.Errorf("%s and %s: same %v, before %v", tc.v, tc.other, v == other, v.before(other))
		}
	}
}

func BenchmarkInventory(b *testing.B) {
	const objects = 50_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		i := newInventory()
		for n := range objects {
			i.put(fmt.Sprintf("some-namespace/some-object-%d", n), uuid.NewString(), fmt.Sprint(1_000_000+n))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/objects, "B/object")
		runtime.KeepAlive(i)
	}
}
