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
	"testing"
	"testing/synctest"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// gated returns an action that waits until the gate is closed.
func gated(gate <-chan struct{}) actionFunc {
	return func(context.Context, event.Event) error {
		<-gate
		return nil
	}
}

func ok(context.Context, event.Event) error { return nil }

func only(key string) subscription {
	return subscription{accepts: func(ev event.Event) bool { return ev.Key == key }}
}

func TestFullQueueBlocksDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, engine.Options{}, engine.Trigger{Policy: engine.Policy{QueueSize: 2}, Action: gated(gate)})
		r.deliver("a", "1")
		r.deliver("a", "2")
		third := make(chan error, 1)
		go func() { third <- r.tryDeliver(t.Context(), "b", "3") }()
		synctest.Wait()
		select {
		case err := <-third:
			t.Fatalf("a full queue took an event: %v", err)
		default:
		}
		gate <- struct{}{}
		if err := <-third; err != nil {
			t.Errorf("the queue has room: %v", err)
		}
		close(gate)
		synctest.Wait()
		r.wantDone("1", "2", "3")
		r.stop()
	})
}

func TestDeliverThatIsCalledOffLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, engine.Options{Defaults: engine.Policy{QueueSize: 1}},
			engine.Trigger{Subscription: subscription{accepts: func(ev event.Event) bool { return ev.Key != "b" }}, Action: actionFunc(ok)},
			engine.Trigger{Subscription: subscription{accepts: func(ev event.Event) bool { return ev.Key != "a" }}, Action: gated(gate)},
		)
		r.deliver("b", "1")
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error, 1)
		go func() { refused <- r.tryDeliver(ctx, "both", "2") }()
		synctest.Wait()
		cancel()
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Errorf("Deliver: %v, want %v", err, context.Canceled)
		}
		r.wantOutcomes("2")
		// The room that it had at the first trigger is free again.
		r.deliver("a", "3")
		close(gate)
		synctest.Wait()
		r.wantDone("1", "3")
		r.stop()
	})
}

func TestDeliverEndsWithTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		r := start(t, engine.Options{}, engine.Trigger{Policy: engine.Policy{QueueSize: 1}, Action: gated(gate)})
		r.deliver("a", "1")
		blocked := make(chan error, 1)
		go func() { blocked <- r.tryDeliver(context.Background(), "a", "2") }()
		synctest.Wait()
		r.cancel()
		if err := <-blocked; err == nil {
			t.Error("an event was taken after the end")
		}
		close(gate)
		r.stop()
		if err := r.tryDeliver(context.Background(), "a", "3"); err == nil {
			t.Error("an event was taken after Run returned")
		}
		r.wantDone("1")
	})
}

func TestEventsThatNobodyTakesAreDoneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := actionFunc(func(_ context.Context, ev event.Event) error {
			t.Errorf("acted on event %q", ev.ID)
			return nil
		})
		r := start(t, engine.Options{},
			engine.Trigger{Subscription: only("x"), Action: fail},
			engine.Trigger{Subscription: only("a"), Action: fail, Policy: engine.Policy{Suspend: true}},
		)
		r.deliver("b", "unwanted")
		r.deliver("a", "suspended")
		r.wantDone("unwanted", "suspended")
		for i, d := range r.decisions[:2] {
			if d.Event.ID != "unwanted" || d.Trigger.Name != fmt.Sprint("t", i) ||
				d.Outcome != engine.Suppressed || d.Reason != string(source.NotSubscribed) {
				t.Errorf("decision %d is %+v", i, d)
			}
		}
		r.wantOutcomes("suspended", engine.Suppressed)
		r.stop()
	})
}

func TestEventIsDoneWithItsLastTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		no := filterFunc(func(context.Context, event.Event) (filter.Verdict, error) { return filter.Verdict{}, nil })
		r := start(t, engine.Options{},
			engine.Trigger{Filter: no, Action: actionFunc(ok)},
			engine.Trigger{Action: gated(gate)},
			engine.Trigger{Action: actionFunc(func(context.Context, event.Event) error {
				return action.Terminal(errors.New("refused"))
			})},
			engine.Trigger{Action: actionFunc(ok)},
			engine.Trigger{Subscription: only("other"), Action: actionFunc(ok)},
		)
		r.deliver("a", "1")
		synctest.Wait()
		r.wantDone()
		close(gate)
		synctest.Wait()
		r.wantDone("1")
		r.stop()
	})
}
