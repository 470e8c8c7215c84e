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

package cron_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/cron"
)

// restarts is the number of restarts in TestTicker_Restarts.
const restarts = 1000

// tickRecorder records when each tick was acknowledged, and detects repeated ticks.
type tickRecorder struct {
	t    *testing.T
	rand *rand.Rand

	mu   sync.Mutex
	done map[string]time.Time
	// savedAt is a time before which every ack is in the store.
	savedAt time.Time
	// alive is false after the end of the process that delivered a tick.
	alive *bool
}

func (r *tickRecorder) deliver(_ context.Context, ev event.Event, done func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ackedAt, ok := r.done[ev.ID]; ok && !ackedAt.After(r.savedAt) {
		r.t.Errorf("%s: repeated at %v, acknowledged at %v, saved at %v", ev.ID, time.Now(), ackedAt, r.savedAt)
	}
	delete(r.done, ev.ID)
	alive := r.alive
	ack := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if *alive {
			r.done[ev.ID] = time.Now()
			done()
		}
	}
	wait := time.Duration(r.rand.IntN(int(20 * time.Second)))
	if r.rand.IntN(2) == 0 {
		wait = 0
	}
	time.AfterFunc(wait, ack)
	return nil
}

// TestTicker_Restarts stops or kills the process repeatedly while ticks are pending, in
// the engine or acknowledged. Every tick must be acknowledged, and only ticks that were
// acknowledged just before a crash may be repeated.
func TestTicker_Restarts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	bubble(t, func(t *testing.T, path string) {
		r := rand.New(rand.NewPCG(seed, 0))
		rec := &tickRecorder{t: t, rand: r, done: map[string]time.Time{}}
		properties := map[string]any{"schedule": "*/5 * * * * *", "missed": "all", "jitter": "3s"}
		begin := time.Now()
		run := func(d time.Duration, crash bool) {
			alive := true
			rec.mu.Lock()
			rec.alive = &alive
			rec.mu.Unlock()
			p := start(t, path, cron.Options{}, properties, rec.deliver)
			time.Sleep(d)
			rec.mu.Lock()
			alive, rec.savedAt = false, time.Now()
			if crash {
				rec.savedAt = rec.savedAt.Add(-2 * saveEvery)
			}
			rec.mu.Unlock()
			if crash {
				p.kill()
			} else {
				p.stop()
			}
		}
		for range restarts {
			run(time.Duration(r.IntN(int(30*time.Second))), r.IntN(2) == 0)
			time.Sleep(time.Duration(r.IntN(int(60 * time.Second))))
		}
		end := time.Now()
		run(time.Minute, false)
		n := 0
		for tick := begin.Truncate(time.Second).Add(5 * time.Second); tick.Before(end); tick = tick.Add(5 * time.Second) {
			n++
			if _, ok := rec.done["cronjob/default/nightly@"+tick.UTC().Format(time.RFC3339)]; !ok {
				t.Errorf("%v: tick lost", tick)
			}
		}
		t.Logf("%d ticks in %v", n, end.Sub(begin))
		if n < restarts {
			t.Errorf("only %d ticks", n)
		}
	})
}
