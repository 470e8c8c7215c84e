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
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// FuzzEngine runs random events through random triggers, keyse filters and
// actions fail in every possible way, and checks the package's guarantees.
func FuzzEngine(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Add(uint64(time.Now().UnixNano()))
	f.Fuzz(func(t *testing.T, seed uint64) {
		t.Logf("seed %d", seed)
		synctest.Test(t, func(t *testing.T) { newFuzzRun(t, seed).run() })
	})
}

const (
	fuzzEvents = 200
	fuzzKeys   = 8
)

// fuzzRun is one run with random triggers and events.
type fuzzRun struct {
	t    *testing.T
	seed uint64
	rand *rand.Rand

	mu     sync.Mutex
	active map[string]int    // trigger → number of running filters and actions
	busy   map[string]bool   // trigger and key → a filter or action is running
	latest map[string]int    // trigger and key → the latest event
	draws  map[string]uint64 // trigger, event and stage → number of calls
}

func newFuzzRun(t *testing.T, seed uint64) *fuzzRun {
	return &fuzzRun{
		t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 0)),
		active: map[string]int{}, busy: map[string]bool{}, latest: map[string]int{}, draws: map[string]uint64{},
	}
}

func (x *fuzzRun) run() {
	triggers := make([]triggerSpec, 1+x.rand.IntN(4))
	for i := range triggers {
		triggers[i] = x.trigger(fmt.Sprint("t", i))
	}
	h := start(x.t, engine.Options{}, triggers...)
	var (
		delivered sync.Map
		wg        sync.WaitGroup
	)
	for p := range 2 {
		pick := rand.New(rand.NewPCG(x.seed, uint64(p+1)))
		wg.Go(func() {
			for n := range fuzzEvents {
				key := fmt.Sprint("k", 2*pick.IntN(fuzzKeys/2)+p)
				id := fmt.Sprintf("%s/%d", key, n)
				if h.tryDeliver(x.t.Context(), key, id) != nil {
					return
				}
				delivered.Store(id, true)
			}
		})
	}
	early := x.rand.IntN(2) == 0
	if early {
		time.Sleep(time.Duration(x.rand.IntN(600)) * time.Second)
		h.stop()
		wg.Wait()
		time.Sleep(time.Hour) // Abandoned actions return.
	} else {
		wg.Wait()
		time.Sleep(24 * time.Hour)
		h.stop()
	}
	x.check(h, &delivered, len(triggers), early)
}

// check wants each event to be done once or requeued, and one final decision of
// each trigger.
func (x *fuzzRun) check(h *harness, delivered *sync.Map, triggers int, early bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	final, requeued := map[string]int{}, map[string]bool{}
	decided := map[string]bool{}
	for _, d := range h.decisions {
		if key := d.Trigger.Name + " " + d.Event.ID; decided[key] {
			x.t.Errorf("%s is %s after its final decision", key, d.Outcome)
		} else {
			decided[key] = d.Outcome != engine.Queued && d.Outcome != engine.Matched && d.Outcome != engine.Failed
		}
		switch d.Outcome {
		case engine.Requeued:
			requeued[d.Event.ID] = true
			fallthrough
		case engine.Filtered, engine.Succeeded, engine.DeadLettered:
			final[d.Event.ID]++
		}
	}
	n := 0
	delivered.Range(func(id, _ any) bool {
		n++
		id = id.(string)
		if final[id.(string)] != triggers {
			x.t.Errorf("event %q: %d final decisions by %d triggers", id, final[id.(string)], triggers)
		}
		want := 1
		if requeued[id.(string)] {
			want = 0
		}
		if got := h.done[id.(string)]; got != want {
			x.t.Errorf("event %q is done %d times, want %d", id, got, want)
		}
		return true
	})
	if len(h.done) > n {
		x.t.Errorf("%d events are done, but %d were delivered", len(h.done), n)
	}
	if !early && (n != 2*fuzzEvents || len(requeued) > 0) {
		x.t.Errorf("%d events were delivered and %d requeued, want %d and 0", n, len(requeued), 2*fuzzEvents)
	}
}

func (x *fuzzRun) trigger(name string) triggerSpec {
	limit := x.rand.IntN(4)
	t := triggerSpec{
		TriggerRef: event.TriggerRef{Name: name},
		Policy: engine.Policy{
			Concurrency: 1 + x.rand.IntN(4), QueueSize: 1 + x.rand.IntN(20),
			Retry: engine.Retry{Limit: &limit},
		},
	}
	t.Filter = filterFunc(func(_ context.Context, ev event.Event) (v event.Verdict, err error) {
		defer x.enter(t, ev)()
		switch n := x.draw(name, ev.ID, "filter"); {
		case n < 70:
			v.Match = true
		case n > 97:
			err = errors.New("does not evaluate")
		case n > 95:
			panic("in a filter")
		}
		return v, err
	})
	t.Action = actionFunc(func(ctx context.Context, ev event.Event) error {
		defer x.enter(t, ev)()
		switch n := x.draw(name, ev.ID, "action"); {
		case n < 30:
			return nil
		case n < 60:
			time.Sleep(time.Duration(n) * 50 * time.Millisecond)
			return nil
		case n < 80:
			return errors.New("refused")
		case n < 85:
			return action.Terminal(errors.New("refused for good"))
		case n < 90:
			<-ctx.Done()
			return ctx.Err()
		case n < 95:
			// It ignores ctx, and returns at the moment at which the hang is
			// detected.
			time.Sleep(time.Duration(n-90)*engine.DefaultTimeout + 12*time.Second)
			return ctx.Err()
		default:
			panic("in an action")
		}
	})
	return t
}

// enter checks that a filter or action may run now. The requeued function marks
// its end.
func (x *fuzzRun) enter(t triggerSpec, ev event.Event) func() {
	x.mu.Lock()
	defer x.mu.Unlock()
	queue := t.Name + " " + ev.Key
	var n int
	if _, err := fmt.Sscanf(ev.ID[len(ev.Key):], "/%d", &n); err != nil {
		x.t.Error(err)
	}
	if x.active[t.Name]++; x.active[t.Name] > t.Policy.Concurrency {
		x.t.Errorf("trigger %q handles %d events concurrently, want at most %d", t.Name, x.active[t.Name], t.Policy.Concurrency)
	}
	if x.busy[queue] {
		x.t.Errorf("key queue %q handles two events concurrently", queue)
	}
	if x.latest[queue] > n {
		x.t.Errorf("key queue %q handles event %d after %d", queue, n, x.latest[queue])
	}
	x.busy[queue], x.latest[queue] = true, n
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.active[t.Name]--
		x.busy[queue] = false
	}
}

// draw returns a number below 100 that depends on the seed, the arguments and the
// number of calls with them, but not on the scheduling of goroutines.
func (x *fuzzRun) draw(trigger, id, stage string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := trigger + " " + id + " " + stage
	x.draws[key]++
	hash := fnv.New64a()
	hash.Write([]byte(key))
	return rand.New(rand.NewPCG(x.seed, hash.Sum64()+x.draws[key])).IntN(100)
}
