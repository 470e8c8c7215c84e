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
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestHang_Timeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		h := start(t, engine.Options{}, triggerSpec{
			Action: actionFunc(func(ctx context.Context, _ event.Event) error {
				switch tries++; tries {
				case 1:
					<-ctx.Done()
					return ctx.Err()
				case 2:
					<-ctx.Done()
					return fmt.Errorf("patch: %w", ctx.Err())
				case 3:
					<-ctx.Done()
					return context.Cause(ctx)
				}
				return nil
			}),
		})
		h.deliver("a", "1")
		advance(10 * time.Second)
		h.wantOutcomes("1", engine.Failed)
		advance(time.Hour)
		h.wantOutcomes("1", engine.Failed, engine.Failed, engine.Failed, engine.Succeeded)
		for i, want := range []string{
			"timed out after 10s",
			"timed out after 10s: patch: context deadline exceeded",
			"timed out after 10s",
		} {
			d := h.decisionsOf("1")[i]
			if d.Reason != engine.ReasonTimeout || d.Err.Error() != want || d.Duration != 10*time.Second {
				t.Errorf("decision %d is %+v, want error %q", i, d, want)
			}
		}
		h.wantDone("1")
		h.stop()
	})
}

func TestHang_HoldsWorkerAndKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var ran recorder
		h := start(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{Concurrency: 2},
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				ran.add(ev.ID)
				if ev.ID == "1" {
					<-hang
				}
				return nil
			}),
		})
		h.deliver("a", "1")
		h.deliver("a", "2")
		advance(11 * time.Second)
		h.wantOutcomes("1")
		advance(time.Second)
		h.wantOutcomes("1", engine.Failed)
		if d := h.decisionsOf("1")[0]; d.Reason != engine.ReasonHung || d.Err.Error() != "timed out after 10s, and is still running" {
			t.Errorf("decision is %+v", d)
		}
		h.deliver("b", "3")
		synctest.Wait()
		ran.want(t, "1", "3")

		// It succeeds late, and is not run again.
		close(hang)
		advance(time.Hour)
		ran.want(t, "1", "3", "2")
		h.wantOutcomes("1", engine.Failed, engine.Succeeded)
		if d := h.decisionsOf("1")[1]; d.Attempt != 2 {
			t.Errorf("decision is %+v, want attempt 2", d)
		}
		h.wantDone("1", "2", "3")
		h.stop()
	})
}

func TestHang_DeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		limit := 2
		var ran recorder
		h := start(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{Retry: engine.Retry{Limit: &limit}},
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				ran.add(ev.ID)
				if ev.ID == "1" {
					<-hang
				}
				return nil
			}),
		})
		h.deliver("a", "1")
		h.deliver("a", "2")
		advance(time.Hour)
		h.wantOutcomes("1", engine.Failed, engine.Failed, engine.DeadLettered)
		if d := h.decisionsOf("1")[2]; d.Attempt != 3 || d.Duration != 32*time.Second || d.Reason != engine.ReasonHung {
			t.Errorf("decision is %+v", d)
		}
		h.wantDone("1")
		ran.want(t, "1")

		close(hang)
		synctest.Wait()
		h.wantOutcomes("1", engine.Failed, engine.Failed, engine.DeadLettered)
		ran.want(t, "1", "2")
		h.wantDone("1", "2")
		h.stop()
	})
}

func (blockingObserver) ObserveSource(engine.SourceFailure)        {}
func (blockingObserver) ObserveDeadLetter(engine.DeadLetterResult) {}

// blockingObserver blocks in its first decision with the outcome.
type blockingObserver struct {
	outcome       engine.Outcome
	held, release chan struct{}
}

func (o blockingObserver) Observe(d engine.Decision) {
	if d.Outcome == o.outcome {
		close(o.held)
		<-o.release
	}
}

// It does not use a synctest bubble, because a goroutine that waits for a lock is
// not durably blocked.
func TestHang_RunWaitsForDecision(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	o := blockingObserver{engine.DeadLettered, make(chan struct{}), make(chan struct{})}
	hang := make(chan struct{})
	never := 0
	h := start(t, engine.Options{Clock: clock, Observer: o}, triggerSpec{
		Policy: engine.Policy{Retry: engine.Retry{Limit: &never}},
		Action: gated(hang),
	})
	h.deliver("a", "1")
	waitFor(t, "the action to be watched", clock.HasWaiters)
	clock.Step(12 * time.Second)
	<-o.held
	close(hang)
	h.cancel()
	for range 10_000 {
		runtime.Gosched()
	}
	if len(h.ended) > 0 {
		t.Error("Run returned before the event was dead-lettered")
	}
	close(o.release)
	h.stop()
	h.wantDone("1")
}
