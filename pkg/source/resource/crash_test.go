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

package resource_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// processedEvents counts the events that were done, across all restarts.
type processedEvents struct {
	mu   sync.Mutex
	done map[string]int
	last map[string]string // the ID of the last event that was done, by key
}

// handler returns a handler that completes events at random times, the events of one
// object in order. If immediate is set, it completes each event at once.
func (p *processedEvents) handler(immediate bool, random *rand.Rand) func(event.Event, func()) {
	type task struct {
		id   string
		done func()
	}
	queues := map[string][]task{}
	return func(ev event.Event, done func()) {
		queues[ev.Key] = append(queues[ev.Key], task{ev.ID, done})
		keys := slices.Sorted(maps.Keys(queues))
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys {
			for len(queues[key]) > 0 && (immediate || random.IntN(3) == 0) {
				j := queues[key][0]
				queues[key] = queues[key][1:]
				j.done()
				p.mu.Lock()
				p.done[j.id]++
				p.last[key] = j.id
				p.mu.Unlock()
			}
		}
	}
}

// has reports whether all events with these IDs were done.
func (p *processedEvents) has(ids map[string]bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range ids {
		if p.done[id] == 0 {
			return false
		}
	}
	return true
}

// TestCrash_Random completes events in random order, some never, and kills the process
// at random times, which loses the last changes. In the end all events must be done, and
// no more than the lost ones may be repeated.
func TestCrash_Random(t *testing.T) {
	const rounds, objects, lag = 12, 8, 3
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e, store := newEnv(t), newFakeStore()
	store.lag = lag
	specs := []triggerSpec{e.trigger("t", "")}
	processed := processedEvents{done: map[string]int{}, last: map[string]string{}}
	want := map[string]bool{}
	exists := map[string]bool{}
	change := func(n int) {
		for range n {
			name := fmt.Sprintf("cm-%d", random.IntN(objects))
			switch {
			case !exists[name]:
				cm := e.create(name, nil)
				want[string(cm.UID)+"@"+cm.ResourceVersion] = true
				exists[name] = true
			case random.IntN(3) == 0:
				e.delete(name)
				exists[name] = false
			default:
				cm := e.update(name, fmt.Sprintf(`{"data": {"n": "%d"}}`, random.Uint64()))
				want[string(cm.UID)+"@"+cm.ResourceVersion] = true
			}
		}
	}
	allowed := 0
	for round := range rounds {
		last := round == rounds-1
		p := e.newProcess(store, specs)
		p.handler = processed.handler(last, rand.New(rand.NewPCG(seed, uint64(round))))
		p.run()
		p.waitForWatch()
		change(10 + random.IntN(10))
		if last {
			eventually(t, func() bool { return processed.has(want) })
			cm := e.create("last", nil)
			eventually(t, func() bool { return processed.has(map[string]bool{string(cm.UID) + "@" + cm.ResourceVersion: true}) })
			break
		}
		if random.IntN(2) == 0 {
			p.waitForEvents(1 + random.IntN(8))
		}
		p.kill()
		allowed += lag
		change(random.IntN(10))
	}
	for key, id := range processed.last {
		name := strings.TrimPrefix(key, e.namespace+"/")
		if gone := strings.HasSuffix(id, "/delete"); name != "last" && gone == exists[name] {
			t.Errorf("%s: exists is %v, but the last event that was done is %s", name, exists[name], id)
		}
	}
	repeated := 0
	for _, n := range processed.done {
		repeated += n - 1
	}
	t.Logf("%d events, %d repeated", len(processed.done), repeated)
	if repeated > allowed {
		t.Errorf("%d events were repeated, want at most %d", repeated, allowed)
	}
}
