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

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// minHeap is the heap size below which no collection starts, however small
	// the live heap is. An idle worker never reaches it. Without it, a busy worker
	// whose live heap is a few MiB collects several times a second, and each
	// collection shrinks the stacks of waiting goroutines, which grow again.
	minHeap = 64 << 20
	// defaultGCPercent is the default of the runtime: a collection starts when
	// the live heap has doubled.
	defaultGCPercent = 100
	// idlePeriod is the time without a collection after which the process is
	// idle.
	idlePeriod = 10 * time.Second
	// minReturn is the number of bytes that must be allocated since memory was
	// last returned to the operating system, before it is returned again.
	minReturn = 8 << 20
)

// TuneGC has the runtime observe the memory limit of the process's cgroup, unless
// GOMEMLIMIT is set, and collect a small heap less often, unless GOGC or GOMEMLIMIT is
// set. These two cannot replace it: a fixed GOGC that is right for a
// small heap wastes memory with a large one, and with GOGC=off the runtime collects
// continuously once the live heap reaches GOMEMLIMIT.
func TuneGC() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limitHeap(os.DirFS("/"))
	if os.Getenv("GOGC") != "" {
		return
	}
	adjustGC(struct{}{})
}

// adjustGC sets the GC percent for the current live heap, now and after each
// collection.
func adjustGC(struct{}) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(gcPercent(live[0].Value.Uint64()))
	runtime.AddCleanup(new([64]byte), adjustGC, struct{}{})
}

// gcPercent returns the GC percent for a live heap of that many bytes.
func gcPercent(live uint64) int {
	if live == 0 || live*(100+defaultGCPercent)/100 >= minHeap {
		return defaultGCPercent
	}
	return int(minHeap*100/live) - 100
}

// ReturnMemory returns free memory to the operating system whenever the process
// becomes idle: after its start, its first lists, or a burst of events. It blocks
// until ctx ends. The runtime on its own keeps what the next collection allows.
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
	last memoryUsage
	// allocated is memoryUsage.allocated when memory was last returned.
	allocated uint64
}

// due reports whether memory is to be returned now. It is called once per
// idlePeriod.
func (r *memoryReturner) due(now memoryUsage) bool {
	idle := now.collections == r.last.collections
	r.last = now
	if !idle || now.allocated-r.allocated < minReturn {
		return false
	}
	r.allocated = now.allocated
	return true
}

// memoryUsage counts since the start of the process.
type memoryUsage struct {
	collections uint64 // without forced ones
	allocated   uint64 // bytes
}

func readMemoryUsage() memoryUsage {
	samples := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return memoryUsage{collections: samples[0].Value.Uint64(), allocated: samples[1].Value.Uint64()}
}
