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
	// smallHeap is up to where the heap may grow before it is collected, however
	// little of it lives. An idle worker never gets there; without it, a busy
	// one whose live heap is a few MiB collects several times a second, and each
	// time makes the stacks of waiting goroutines small, which have to grow again.
	smallHeap = 64 << 20
	// growth is the runtime's default: a collection when the heap has doubled.
	growth = 100
	// idlePeriod is how long the process has to be without a collection to be
	// idle.
	idlePeriod = 10 * time.Second
	// worthReturning is how much has to be allocated before memory is returned
	// once more.
	worthReturning = 8 << 20
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

// returnMemory gives memory back to the machine whenever the process has become
// idle, such as after its start, its first lists or a burst of events, until ctx
// ends. The runtime does so only down to the size at which it would collect next.
func returnMemory(ctx context.Context) {
	tick := time.NewTicker(idlePeriod)
	defer tick.Stop()
	var r returning
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.due(readUsage()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// returning decides when memory is returned.
type returning struct {
	last      usage
	allocated uint64 // when it was returned
}

// due is asked once in an idlePeriod.
func (r *returning) due(now usage) bool {
	idle := now.collections == r.last.collections
	r.last = now
	if !idle || now.allocated-r.allocated < worthReturning {
		return false
	}
	r.allocated = now.allocated
	return true
}

// usage is what the runtime has done since the process began.
type usage struct {
	collections uint64 // that nobody asked for
	allocated   uint64 // bytes
}

func readUsage() usage {
	read := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(read)
	return usage{collections: read[0].Value.Uint64(), allocated: read[1].Value.Uint64()}
}
