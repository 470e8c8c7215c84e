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
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestShutdown_Drain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{
			Filter: filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
				if ev.Key == "filtering" {
					time.Sleep(5 * time.Second)
				}
				return event.Verdict{Match: true}, nil
			}),
			Action: actionFunc(func(ctx context.Context, ev event.Event) error {
				switch ev.Key {
				case "running":
					time.Sleep(5 * time.Second)
					return ctx.Err()
				case "failing":
					time.Sleep(5 * time.Second)
					return errors.New("refused")
				case "waiting":
					return errors.New("refused")
				}
				t.Errorf("action ran for event %q", ev.ID)
				return nil
			}),
		})
		for _, key := range []string{"waiting", "filtering", "running", "failing"} {
			h.deliver(key, key)
			h.deliver(key, key+" behind")
		}
		advance(time.Second)
		begin := time.Now()
		h.stop()
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("stopping took %s, want 4s", took)
		}
		h.wantDone("running")
		h.wantOutcomes("running", engine.Succeeded)
		h.wantOutcomes("filtering", engine.Requeued)
		h.wantOutcomes("failing", engine.Failed, engine.Requeued)
		h.wantOutcomes("waiting", engine.Failed, engine.Requeued)
		for _, key := range []string{"waiting", "filtering", "running", "failing"} {
			h.wantOutcomes(key+" behind", engine.Requeued)
		}
	})
}

func TestShutdown_GracePeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		h := start(t, engine.Options{Defaults: engine.Policy{Timeout: time.Hour}},
			triggerSpec{Subscription: only("obeys"), Action: actionFunc(func(ctx context.Context, _ event.Event) error {
				<-ctx.Done()
				return ctx.Err()
			})},
			triggerSpec{Subscription: only("hangs"), Action: gated(hang)},
			triggerSpec{Subscription: only("idle"), Action: actionFunc(ok)},
		)
		h.deliver("obeys", "1")
		h.deliver("hangs", "2")
		synctest.Wait()
		begin := time.Now()
		h.stop()
		if took := time.Since(begin); took != engine.DefaultShutdownGrace+2*time.Second {
			t.Errorf("stopping took %s", took)
		}
		h.wantOutcomes("1", engine.Requeued)
		h.wantOutcomes("2", engine.Requeued)
		close(hang)
		synctest.Wait()
		h.wantDone()
		h.wantOutcomes("2", engine.Requeued)
	})
}

func TestShutdown_Idle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{Action: actionFunc(ok)})
		begin := time.Now()
		h.stop()
		if took := time.Since(begin); took != 0 {
			t.Errorf("stopping took %s", took)
		}
	})
}

func TestShutdown_NoLateRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			ended := false
			h := start(t, engine.Options{}, triggerSpec{Action: actionFunc(func(context.Context, event.Event) error {
				if ended {
					t.Error("an action ran after Run returned")
				}
				return errors.New("refused")
			})})
			h.deliver("a", "1")
			synctest.Wait()
			time.Sleep(h.decisionsOf("1")[0].RetryIn) // The retry is due at the moment of the stop.
			h.stop()
			ended = true
			synctest.Wait()
			h.wantDone()
		}
	})
}

func TestShutdown_ConcurrentDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deciding := make(chan struct{})
		h := start(t, engine.Options{},
			triggerSpec{Action: actionFunc(ok)},
			triggerSpec{Action: actionFunc(ok), Subscription: subscription{accepts: func(event.Event) bool {
				<-deciding
				return true
			}}},
		)
		taken := make(chan error, 1)
		go func() { taken <- h.tryDeliver(t.Context(), "a", "1") }()
		synctest.Wait()
		h.stop()
		close(deciding)
		if err := <-taken; err != nil {
			t.Errorf("Deliver: %v", err)
		}
		synctest.Wait()
		h.wantOutcomes("1", engine.Requeued, engine.Requeued)
		h.wantDone()
	})
}
