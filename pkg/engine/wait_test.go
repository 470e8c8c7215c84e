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
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// unmet is the error of a step that waits.
type unmet struct{ since time.Time }

func (unmet) Error() string { return "not ready" }

func (e unmet) WaitingSince() time.Time { return e.since }

// waitingStep returns a step that waits until ready returns true.
func waitingStep(limit time.Duration, ready func(id string) bool) engine.Step {
	return engine.Step{WaitLimit: limit, Start: func(map[string]any, *sync.Map) func(context.Context, event.Event) (any, error) {
		since := time.Now()
		return func(_ context.Context, ev event.Event) (any, error) {
			if ready(ev.ID) {
				return nil, nil
			}
			return nil, unmet{since}
		}
	}}
}

// TestWait_HoldsNoWorker: a step that waits is run again without a worker and without using up
// retries, until its condition is met. Events of the same object wait, others do not.
func TestWait_HoldsNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, never := time.Now(), 0
		var at []time.Duration
		step := waitingStep(0, func(id string) bool {
			if id == "1" {
				at = append(at, time.Since(began))
			}
			return id != "1" || time.Since(began) > 5*time.Minute
		})
		h := start(t, engine.Options{}, triggerSpec{Steps: []engine.Step{step}, Policy: engine.Policy{
			Concurrency: 1, Retry: engine.Retry{Limit: &never}, RateLimit: engine.RateLimit{Limit: 3, Period: time.Hour},
		}})
		h.deliver("a", "1")
		h.deliver("a", "2")
		h.deliver("b", "3")
		advance(4 * time.Minute)
		h.wantOutcomes("1", engine.Waiting)
		h.wantOutcomes("2")
		h.wantOutcomes("3", engine.Succeeded)
		advance(2 * time.Minute)
		h.wantOutcomes("1", engine.Waiting, engine.Succeeded)
		h.wantOutcomes("2", engine.Succeeded)
		if d := h.decisionsOf("1")[0]; d.Attempt != 1 || d.RetryIn != time.Second || d.Err == nil {
			t.Errorf("decision %+v", d)
		}
		first := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second, 61 * time.Second}
		if len(at) < len(first) || !slices.Equal(at[:len(first)], first) {
			t.Errorf("runs at %v, want first %v", at, first)
		}
		h.wantDone("1", "2", "3")
		h.stop()
	})
}

// TestWait_Limit dead-letters an event whose condition is not met in time, counted from when
// the wait began.
func TestWait_Limit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := waitingStep(time.Minute, func(string) bool { return false })
		h := start(t, engine.Options{}, triggerSpec{Steps: []engine.Step{step}})
		began := time.Now()
		h.deliver("a", "1")
		advance(time.Hour)
		h.wantOutcomes("1", engine.Waiting, engine.DeadLettered)
		d := h.decisionsOf("1")[1]
		if d.Reason != engine.ReasonWaitLimit || d.Err.Error() != "waited for 1m0s: not ready" || d.Time.Sub(began) != time.Minute {
			t.Errorf("decision %+v after %s", d, d.Time.Sub(began))
		}
		h.wantDone("1")
		h.stop()
	})
}

// TestWait_Stopped requeues an event that waits when the engine stops.
func TestWait_Stopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{Steps: []engine.Step{waitingStep(0, func(string) bool { return false })}})
		h.deliver("a", "1")
		advance(time.Minute)
		h.stop()
		h.wantOutcomes("1", engine.Waiting, engine.Requeued)
		h.wantDone()
	})
}
