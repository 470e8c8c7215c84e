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
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// minHeap is up to where the heap may grow before it is collected, however
	// little of it lives. An idle worker never gets there; without it, a busy
	// one whose live heap is a few MiB collects several times a second, and each
	// time makes the stacks of waiting goroutines small, which have to grow again.
	minHeap = 64 << 20
	// defaultGCPercent is the runtime's default: a collection when the heap has doubled.
	defaultGCPercent = 100
	// idlePeriod is how long the process has to be without a collection to be
	// idle.
	idlePeriod = 10 * time.Second
	// minReturn is how much has to be allocated before memory is returned
	// once more.
	minReturn = 8 << 20
)

// TuneGC collects a small heap less often, unless the environment says
// how often to do it.
func TuneGC() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	adjustGC(struct{}{})
}

// adjustGC runs after each collection.
func adjustGC(struct{}) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(gcPercent(live[0].Value.Uint64()))
	runtime.AddCleanup(new([64]byte), adjustGC, struct{}{})
}

// gcPercent returns by how many percent a heap of which so many bytes live may
// grow.
func gcPercent(live uint64) int {
	if live == 0 || live*(100+defaultGCPercent)/100 >= minHeap {
		return defaultGCPercent
	}
	return int(minHeap*100/live) - 100
}

// ReturnMemory gives memory back to the machine whenever the process has become
// idle, such as after its start, its first lists or a burst of events, until ctx
// ends. The runtime does so only down to the size at which it would collect next.
func ReturnMemory(ctx context.Context) {
	tick := time.NewTicker(idlePeriod)
	defer tick.Stop()
	var r memoryReturner
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.due(readMemoryUsage()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// memoryReturner decides when memory is returned.
type memoryReturner struct {
	last      memoryUsage
	allocated uint64 // when it was returned
}

// due is asked once in an idlePeriod.
func (r *memoryReturner) due(now memoryUsage) bool {
	idle := now.collections == r.last.collections
	r.last = now
	if !idle || now.allocated-r.allocated < minReturn {
		return false
	}
	r.allocated = now.allocated
	return true
}

// memoryUsage is what the runtime has done since the process began.
type memoryUsage struct {
	collections uint64 // that nobody asked for
	allocated   uint64 // bytes
}

func readMemoryUsage() memoryUsage {
	read := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(read)
	return memoryUsage{collections: read[0].Value.Uint64(), allocated: read[1].Value.Uint64()}
}
