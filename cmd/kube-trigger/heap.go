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

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// smallHeap is up to where the heap may grow before it is collected, however
	// little of it lives. An idle worker never gets there; without it, a busy
	// one whose live heap is a few MiB collects several times a second.
	smallHeap = 32 << 20
	// growth is the runtime's default: a collection when the heap has doubled.
	growth = 100
)

// relaxCollector collects a small heap less often, unless the environment says
// how often to do it.
func relaxCollector() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	adjustCollector(struct{}{})
}

// adjustCollector runs after each collection.
func adjustCollector(struct{}) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(growthFor(live[0].Value.Uint64()))
	runtime.AddCleanup(new([64]byte), adjustCollector, struct{}{})
}

// growthFor returns by how many percent a heap of which so many bytes live may
// grow.
func growthFor(live uint64) int {
	if live == 0 || live*(100+growth)/100 >= smallHeap {
		return growth
	}
	return int(smallHeap*100/live) - 100
}
