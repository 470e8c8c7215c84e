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

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// TestWaitIdle waits for a running action, and for one that a clock that stands still has
// woken. It does not wait for a retry that is not due.
func TestWaitIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts, proceed := 0, make(chan struct{})
		clock := clocktesting.NewFakeClock(time.Now())
		e, h := startEngine(t, engine.Options{Clock: clock}, triggerSpec{
			Policy: engine.Policy{Retry: engine.Retry{Backoff: engine.Backoff{Initial: time.Second, Max: time.Second}}},
			Action: actionFunc(func(context.Context, event.Event) error {
				<-proceed
				if attempts++; attempts == 1 {
					return errors.New("once")
				}
				return nil
			}),
		})
		wait := func(want int) {
			t.Helper()
			idle := false
			go func() {
				if err := e.WaitIdle(t.Context()); err != nil {
					t.Error(err)
				}
				idle = true
			}()
			synctest.Wait()
			if idle {
				t.Errorf("idle during attempt %d", want)
			}
			proceed <- struct{}{}
			synctest.Wait()
			if !idle || attempts != want {
				t.Errorf("idle %v after %d attempts, want %d", idle, attempts, want)
			}
		}
		h.deliver("a", "1")
		wait(1)
		h.wantDone()
		clock.Step(2 * time.Second)
		wait(2)
		h.wantDone("1")
		ctx, cancel := context.WithCancel(t.Context())
		h.deliver("b", "2")
		cancel()
		if err := e.WaitIdle(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		proceed <- struct{}{}
		h.stop()
	})
}
