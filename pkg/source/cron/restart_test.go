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

// restarts is how often the worker of TestRestarts ends.
const restarts = 1000

// tickRecorder knows of each tick when it was delivered and done.
type tickRecorder struct {
	t *testing.T
	r *rand.Rand

	mu   sync.Mutex
	done map[string]time.Time
	// savedAt is when what was done before is certainly in the store.
	savedAt time.Time
	// alive is false for what was started by a process that has ended.
	alive *bool
}

func (l *tickRecorder) deliver(_ context.Context, ev event.Event, done func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.done[ev.ID]; ok && !at.After(l.savedAt) {
		l.t.Errorf("%s, at %v: again, done at %v and saved at %v", ev.ID, time.Now(), at, l.savedAt)
	}
	delete(l.done, ev.ID)
	alive := l.alive
	finish := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if *alive {
			l.done[ev.ID] = time.Now()
			done()
		}
	}
	wait := time.Duration(l.r.IntN(int(20 * time.Second)))
	if l.r.IntN(2) == 0 {
		wait = 0
	}
	time.AfterFunc(wait, finish)
	return nil
}

// TestRestarts ends the worker again and again, in good order or not, while
// ticks are queued, running or done, and finds that every tick is done, and
// that none is repeated but those that were done in the last moment before a
// crash.
func TestRestarts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	bubble(t, func(t *testing.T, path string) {
		r := rand.New(rand.NewPCG(seed, 0))
		l := &tickRecorder{t: t, r: r, done: map[string]time.Time{}}
		properties := map[string]any{"schedule": "*/5 * * * * *", "missed": "all", "jitter": "3s"}
		begin := time.Now()
		run := func(d time.Duration, crash bool) {
			alive := true
			l.mu.Lock()
			l.alive = &alive
			l.mu.Unlock()
			p := start(t, path, cron.Options{}, properties, l.deliver)
			time.Sleep(d)
			l.mu.Lock()
			alive, l.savedAt = false, time.Now()
			if crash {
				l.savedAt = l.savedAt.Add(-2 * saveEvery)
			}
			l.mu.Unlock()
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
			if _, ok := l.done["cronjob/default/nightly@"+tick.UTC().Format(time.RFC3339)]; !ok {
				t.Errorf("%v: lost", tick)
			}
		}
		t.Logf("%d ticks in %v", n, end.Sub(begin))
		if n < restarts {
			t.Errorf("only %d ticks", n)
		}
	})
}
