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
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestRateLimit_Delay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		h := start(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{RateLimit: engine.RateLimit{Limit: 2, Period: time.Minute}, Concurrency: 1},
			Action: actionFunc(func(context.Context, event.Event) error {
				at = append(at, time.Since(begin).Round(time.Second))
				return nil
			}),
		})
		var ids []string
		for i := range 7 {
			ids = append(ids, fmt.Sprint(i))
			h.deliver("key-"+ids[i], ids[i])
		}
		advance(0)
		for i, id := range ids {
			waits := 0
			h.mu.Lock()
			for _, d := range h.decisions {
				if d.Event.ID == id && d.Outcome == engine.Queued && d.Reason == engine.ReasonRateLimited && d.RetryIn > 0 {
					waits++
				}
			}
			h.mu.Unlock()
			if want := min(i/2, 1); waits != want {
				t.Errorf("event %s: got %d decisions that it is rate-limited, want %d", id, waits, want)
			}
		}
		advance(time.Hour)
		want := []time.Duration{0, 0, time.Minute, time.Minute, 2 * time.Minute, 2 * time.Minute, 3 * time.Minute}
		if !slices.Equal(at, want) {
			t.Errorf("ran at %v, want %v", at, want)
		}
		h.wantDone(ids...)
		// Unused starts do not accumulate.
		at = nil
		for _, id := range []string{"a", "b", "c"} {
			h.deliver(id, id)
		}
		advance(0)
		if len(at) != 2 {
			t.Errorf("%d ran after a pause, want 2", len(at))
		}
		h.stop()
	})
}

// TestRateLimit_Retries fails the action: its retries count, and other triggers
// are not limited.
func TestRateLimit_Retries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limited, free atomic.Int32
		h := start(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{
				RateLimit: engine.RateLimit{Limit: 1, Period: time.Minute},
				Retry:     engine.Retry{Backoff: engine.Backoff{Initial: time.Second, Max: time.Second}},
			},
			Action: actionFunc(func(context.Context, event.Event) error {
				limited.Add(1)
				return errors.New("refused")
			}),
		}, triggerSpec{
			Action: actionFunc(func(context.Context, event.Event) error {
				free.Add(1)
				return nil
			}),
		})
		h.deliver("a", "1")
		h.deliver("b", "2")
		advance(150 * time.Second)
		if limited.Load() != 3 || free.Load() != 2 {
			t.Errorf("%d limited and %d free runs, want 3 and 2", limited.Load(), free.Load())
		}
		h.stop()
	})
}
