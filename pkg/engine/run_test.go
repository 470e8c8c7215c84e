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
	"github.com/kubevela/kube-trigger/pkg/filter"
)

func TestShutdownFinishesWhatRunsAndReturnsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, engine.Options{}, engine.Trigger{
			Filter: filterFunc(func(_ context.Context, ev event.Event) (filter.Verdict, error) {
				if ev.Key == "filtering" {
					time.Sleep(5 * time.Second)
				}
				return filter.Verdict{Match: true}, nil
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
				t.Errorf("acted on event %q", ev.ID)
				return nil
			}),
		})
		for _, key := range []string{"waiting", "filtering", "running", "failing"} {
			r.deliver(key, key)
			r.deliver(key, key+" behind")
		}
		advance(time.Second)
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took != 4*time.Second {
			t.Errorf("stopping took %s, want 4s", took)
		}
		r.wantDone("running")
		r.wantOutcomes("running", engine.Succeeded)
		r.wantOutcomes("filtering", engine.Requeued)
		r.wantOutcomes("failing", engine.Failed, engine.Requeued)
		r.wantOutcomes("waiting", engine.Failed, engine.Requeued)
		for _, key := range []string{"waiting", "filtering", "running", "failing"} {
			r.wantOutcomes(key+" behind", engine.Requeued)
		}
	})
}

func TestShutdownEndsActionsAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		r := start(t, engine.Options{Defaults: engine.Policy{Timeout: time.Hour}},
			engine.Trigger{Subscription: only("obeys"), Action: actionFunc(func(ctx context.Context, _ event.Event) error {
				<-ctx.Done()
				return ctx.Err()
			})},
			engine.Trigger{Subscription: only("hangs"), Action: gated(hang)},
			engine.Trigger{Subscription: only("idle"), Action: actionFunc(ok)},
		)
		r.deliver("obeys", "1")
		r.deliver("hangs", "2")
		synctest.Wait()
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took != engine.DefaultShutdownGrace+2*time.Second {
			t.Errorf("stopping took %s", took)
		}
		r.wantOutcomes("1", engine.Requeued)
		r.wantOutcomes("2", engine.Requeued)
		close(hang)
		synctest.Wait()
		r.wantDone()
		r.wantOutcomes("2", engine.Requeued)
	})
}

func TestEngineWithoutEventsStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, engine.Options{}, engine.Trigger{Action: actionFunc(ok)})
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took != 0 {
			t.Errorf("stopping took %s", took)
		}
	})
}

func TestNothingRunsAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			ended := false
			r := start(t, engine.Options{}, engine.Trigger{Action: actionFunc(func(context.Context, event.Event) error {
				if ended {
					t.Error("an action runs after the end")
				}
				return errors.New("refused")
			})})
			r.deliver("a", "1")
			synctest.Wait()
			time.Sleep(r.decisionsOf("1")[0].RetryIn) // The retry and the end come in the same moment.
			r.stop()
			ended = true
			synctest.Wait()
			r.wantDone()
		}
	})
}

func TestEventThatArrivesWhileTheEngineStopsIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deciding := make(chan struct{})
		r := start(t, engine.Options{},
			engine.Trigger{Action: actionFunc(ok)},
			engine.Trigger{Action: actionFunc(ok), Subscription: subscription{accepts: func(event.Event) bool {
				<-deciding
				return true
			}}},
		)
		taken := make(chan error, 1)
		go func() { taken <- r.tryDeliver(t.Context(), "a", "1") }()
		synctest.Wait()
		r.stop()
		close(deciding)
		if err := <-taken; err != nil {
			t.Errorf("Deliver: %v", err)
		}
		synctest.Wait()
		r.wantOutcomes("1", engine.Requeued, engine.Requeued)
		r.wantDone()
	})
}
