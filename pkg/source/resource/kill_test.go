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

// processedEvents is what was done, over all lives of a worker.
type processedEvents struct {
	mu   sync.Mutex
	done map[string]int
	last map[string]string // by key, the ID of the last event that is done
}

// handler returns what acts on events: the next of any object, at any time, one
// object's in order; all at once where it is diligent.
func (p *processedEvents) handler(diligent bool, random *rand.Rand) func(event.Event, func()) {
	type job struct {
		id   string
		done func()
	}
	queues := map[string][]job{}
	return func(ev event.Event, done func()) {
		queues[ev.Key] = append(queues[ev.Key], job{ev.ID, done})
		keys := slices.Sorted(maps.Keys(queues))
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys {
			for len(queues[key]) > 0 && (diligent || random.IntN(3) == 0) {
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

// has reports whether all of these events were done.
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

// Events are done in any order, some never; the process is killed at any time
// and forgets what was not saved yet. In the end everything was done, and what
// was done twice is no more than could not be saved.
func TestKilledAtRandom(t *testing.T) {
	const rounds, objects, lag = 12, 8, 3
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b, d := newEnv(t), newFakeStore()
	d.lag = lag
	asks := []triggerSpec{b.trigger("t", "")}
	done := processedEvents{done: map[string]int{}, last: map[string]string{}}
	want := map[string]bool{}
	exists := map[string]bool{}
	change := func(n int) {
		for range n {
			name := fmt.Sprintf("cm-%d", random.IntN(objects))
			switch {
			case !exists[name]:
				cm := b.create(name, nil)
				want[string(cm.UID)+"@"+cm.ResourceVersion] = true
				exists[name] = true
			case random.IntN(3) == 0:
				b.delete(name)
				exists[name] = false
			default:
				cm := b.update(name, fmt.Sprintf(`{"data": {"n": "%d"}}`, random.Uint64()))
				want[string(cm.UID)+"@"+cm.ResourceVersion] = true
			}
		}
	}
	allowed := 0
	for round := range rounds {
		last := round == rounds-1
		l := b.newProcess(d, asks)
		l.handler = done.handler(last, rand.New(rand.NewPCG(seed, uint64(round))))
		l.run()
		l.waitForWatch()
		change(10 + random.IntN(10))
		if last {
			eventually(t, func() bool { return done.has(want) })
			cm := b.create("last", nil)
			eventually(t, func() bool { return done.has(map[string]bool{string(cm.UID) + "@" + cm.ResourceVersion: true}) })
			break
		}
		if random.IntN(2) == 0 {
			l.waitForEvents(1 + random.IntN(8))
		}
		l.kill()
		allowed += lag
		change(random.IntN(10))
	}
	for key, id := range done.last {
		name := strings.TrimPrefix(key, b.namespace+"/")
		if gone := strings.HasSuffix(id, "/delete"); name != "last" && gone == exists[name] {
			t.Errorf("%s: exists %v, but the last event that was done is %s", name, exists[name], id)
		}
	}
	twice := 0
	for _, n := range done.done {
		twice += n - 1
	}
	t.Logf("%d events, %d done again", len(done.done), twice)
	if twice > allowed {
		t.Errorf("%d events were done again, want at most %d", twice, allowed)
	}
}
