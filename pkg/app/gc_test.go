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

package app

import "testing"

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0:        defaultGCPercent,
		4 << 20:  1500,
		8 << 20:  700,
		16 << 20: 300,
		32 << 20: defaultGCPercent,
		1 << 30:  defaultGCPercent,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("live heap of %d bytes: GC percent %d, want %d", live, got, want)
		}
	}
}

func TestMemoryReturner(t *testing.T) {
	var r memoryReturner
	for i, step := range []struct {
		usage memoryUsage
		want  bool
	}{
		{memoryUsage{collections: 2, allocated: 64 << 20}, false}, // just started
		{memoryUsage{collections: 2, allocated: 65 << 20}, true},
		{memoryUsage{collections: 2, allocated: 66 << 20}, false},  // too little to return
		{memoryUsage{collections: 5, allocated: 200 << 20}, false}, // busy
		{memoryUsage{collections: 5, allocated: 201 << 20}, true},
		{memoryUsage{collections: 5, allocated: 209 << 20}, true}, // allocates slowly, for a long time
	} {
		if got := r.due(step.usage); got != step.want {
			t.Errorf("step %d: due %t, want %t", i, got, step.want)
		}
	}
}
