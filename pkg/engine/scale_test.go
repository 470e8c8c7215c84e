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

package engine_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// heapInUse returns the bytes in use after a garbage collection.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// flood delivers n events with a kilobyte of data each, waits until all but
// pending are done, and returns the growth of the heap.
func flood(t *testing.T, h *harness, n, pending int, key func(i int) string) int64 {
	t.Helper()
	before := heapInUse()
	var done atomic.Int64
	for i := range n {
		ev := event.Event{Key: key(i), Data: map[string]any{"payload": make([]byte, 1024)}, Time: time.Unix(0, 0)}
		if err := h.sink.Deliver(t.Context(), ev, source.Delivery{Done: func() { done.Add(1) }}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "all events to be done", func() bool { return done.Load() == int64(n-pending) })
	return heapInUse() - before
}

func TestScale_MemoryAndGoroutines(t *testing.T) {
	const events = 100_000
	nine := filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
		return event.Verdict{Match: ev.Key[len(ev.Key)-1] == '9'}, nil
	})
	var (
		mu   sync.Mutex
		peak int
	)
	count := actionFunc(func(context.Context, event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		peak = max(peak, runtime.NumGoroutine())
		return nil
	})
	before := runtime.NumGoroutine()
	h := startUnobserved(t, engine.Options{}, triggerSpec{Filter: nine, Action: count}, triggerSpec{Action: count})
	if grown := flood(t, h, events, 0, strconv.Itoa); grown > 2<<20 {
		t.Errorf("after %d events with as many keys, the heap has grown by %d KiB", events, grown>>10)
	}
	// A worker counts until the scheduler has removed it, so there may be more
	// than Concurrency. Their number must not depend on the number of events.
	if peak > before+100 {
		t.Errorf("%d goroutines, %d before", peak, before)
	}
	h.stop()
}

func TestScale_StuckEvent(t *testing.T) {
	const events = 5000
	hang, gate := make(chan struct{}), make(chan struct{})
	first := true
	h := startUnobserved(t, engine.Options{},
		triggerSpec{Action: gated(gate), Policy: engine.Policy{QueueSize: events}},
		triggerSpec{
			Subscription: subscription{accepts: func(event.Event) bool { defer func() { first = false }(); return first }},
			Action:       gated(hang),
		},
	)
	grown := flood(t, h, events, 1, func(i int) string {
		if i == events-1 {
			close(gate)
		}
		return "one"
	})
	if grown > 2<<20 {
		t.Errorf("one event in progress holds %d KiB", grown>>10)
	}
	close(hang)
	h.stop()
}
