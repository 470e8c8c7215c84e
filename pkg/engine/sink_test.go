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
	"time"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
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

func TestDeliver_FullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := start(t, engine.Options{}, triggerSpec{Policy: engine.Policy{QueueSize: 2}, Action: gated(gate)})
		h.deliver("a", "1")
		h.deliver("a", "2")
		third := make(chan error, 1)
		go func() { third <- h.tryDeliver(t.Context(), "b", "3") }()
		synctest.Wait()
		select {
		case err := <-third:
			t.Fatalf("Deliver to a full queue returned: %v", err)
		default:
		}
		gate <- struct{}{}
		if err := <-third; err != nil {
			t.Errorf("Deliver to a queue with a free slot: %v", err)
		}
		close(gate)
		synctest.Wait()
		h.wantDone("1", "2", "3")
		h.stop()
	})
}

func TestDeliver_Canceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := start(t, engine.Options{Defaults: engine.Policy{QueueSize: 1}},
			triggerSpec{Subscription: subscription{accepts: func(ev event.Event) bool { return ev.Key != "b" }}, Action: actionFunc(ok)},
			triggerSpec{Subscription: subscription{accepts: func(ev event.Event) bool { return ev.Key != "a" }}, Action: gated(gate)},
		)
		h.deliver("b", "1")
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error, 1)
		go func() { refused <- h.tryDeliver(ctx, "both", "2") }()
		synctest.Wait()
		cancel()
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Errorf("Deliver: %v, want %v", err, context.Canceled)
		}
		h.wantOutcomes("2")
		// The slot that it held at the first trigger is free again.
		h.deliver("a", "3")
		close(gate)
		synctest.Wait()
		h.wantDone("1", "3")
		h.stop()
	})
}

func TestDeliver_EngineStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := start(t, engine.Options{}, triggerSpec{Policy: engine.Policy{QueueSize: 1}, Action: gated(gate)})
		h.deliver("a", "1")
		blocked := make(chan error, 1)
		go func() { blocked <- h.tryDeliver(context.Background(), "a", "2") }()
		synctest.Wait()
		h.cancel()
		if err := <-blocked; err == nil {
			t.Error("Deliver succeeded after the stop")
		}
		close(gate)
		h.stop()
		if err := h.tryDeliver(context.Background(), "a", "3"); err == nil {
			t.Error("Deliver succeeded after Run returned")
		}
		h.wantDone("1")
	})
}

func TestDeliver_NotSubscribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := actionFunc(func(_ context.Context, ev event.Event) error {
			t.Errorf("action ran for event %q", ev.ID)
			return nil
		})
		h := start(t, engine.Options{},
			triggerSpec{Subscription: only("x"), Action: fail},
			triggerSpec{Subscription: only("a"), Action: fail, Policy: engine.Policy{Suspend: true}},
		)
		h.deliver("b", "unwanted")
		h.deliver("a", "suspended")
		h.wantDone("unwanted", "suspended")
		for i, d := range h.decisions[:2] {
			if d.Event.ID != "unwanted" || d.Trigger.Name != fmt.Sprint("t", i) ||
				d.Outcome != engine.Suppressed || d.Reason != string(source.NotSubscribed) {
				t.Errorf("decision %d is %+v", i, d)
			}
		}
		h.wantOutcomes("suspended", engine.Suppressed)
		h.stop()
	})
}

// screened is a filter that excludes events of the key "out" by Screen, and no other by Match.
type screened struct{}

func (screened) Match(_ context.Context, ev event.Event) (event.Verdict, error) {
	return event.Verdict{Match: ev.Key != "out", Reason: "by Match"}, nil
}

func (screened) Screen(ev event.Event) (event.Verdict, bool) {
	return event.Verdict{Path: "context.data.a", Reason: "by Screen"}, ev.Key == "out"
}

// TestDeliver_Screened queues no event that the filter excludes without evaluation, unless events
// are merged before.
func TestDeliver_Screened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		window := engine.Policy{QueueSize: 1, Debounce: time.Minute}
		h := start(t, engine.Options{},
			triggerSpec{Filter: screened{}, Action: gated(gate), Policy: engine.Policy{QueueSize: 1}},
			triggerSpec{Filter: screened{}, Subscription: only("late"), Action: actionFunc(ok), Policy: window},
		)
		h.deliver("in", "1")
		for i := range 5 { // the queue is full
			h.deliver("out", fmt.Sprint("out", i))
		}
		h.wantDone("out0", "out1", "out2", "out3", "out4")
		for _, d := range h.decisionsOf("out3") {
			if d.Trigger.Name == "t0" && (d.Outcome != engine.Filtered || d.Reason != "by Screen" || d.Path != "context.data.a") {
				t.Errorf("decision %+v", d)
			}
		}
		close(gate)
		synctest.Wait()
		h.wantDone("1", "out0", "out1", "out2", "out3", "out4")
		h.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{Filter: screened{}, Action: actionFunc(ok), Policy: engine.Policy{Debounce: time.Minute}})
		h.deliver("out", "1")
		synctest.Wait()
		h.wantDone()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		h.wantDone("1")
		for _, d := range h.decisionsOf("1") {
			if d.Outcome == engine.Filtered && d.Reason != "by Match" {
				t.Errorf("decision %+v", d)
			}
		}
		h.stop()
	})
}

func TestDeliver_DoneAfterLastTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		no := filterFunc(func(context.Context, event.Event) (event.Verdict, error) { return event.Verdict{}, nil })
		h := start(t, engine.Options{},
			triggerSpec{Filter: no, Action: actionFunc(ok)},
			triggerSpec{Action: gated(gate)},
			triggerSpec{Action: actionFunc(func(context.Context, event.Event) error {
				return action.Terminal(errors.New("refused"))
			})},
			triggerSpec{Action: actionFunc(ok)},
			triggerSpec{Subscription: only("other"), Action: actionFunc(ok)},
		)
		h.deliver("a", "1")
		synctest.Wait()
		h.wantDone()
		close(gate)
		synctest.Wait()
		h.wantDone("1")
		h.stop()
	})
}

func TestEngine_Deliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran, other recorder
		wantsNothing := subscription{accepts: func(event.Event) bool { return false }}
		e, h := startEngine(t, engine.Options{},
			triggerSpec{Action: recording(&ran), Subscription: wantsNothing},
			triggerSpec{Action: recording(&other)},
			triggerSpec{Action: recording(&other), Policy: engine.Policy{Suspend: true}})
		done := 0
		deliver := func(trigger string) error {
			return e.Deliver(t.Context(), event.TriggerRef{Name: trigger}, event.Event{Key: "a", ID: "1", Time: time.Now()}, source.Delivery{Done: func() { done++ }})
		}
		if err := deliver("t0"); err != nil {
			t.Error(err)
		}
		if err := deliver("t2"); !errors.Is(err, engine.ErrSuspended) {
			t.Errorf("to a suspended trigger: %v", err)
		}
		if err := deliver("t9"); !errors.Is(err, engine.ErrNotRunning) {
			t.Errorf("to an unknown trigger: %v", err)
		}
		advance(0)
		ran.want(t, "1")
		other.want(t)
		if done != 1 {
			t.Errorf("done %d times", done)
		}
		h.stop()
		if err := deliver("t0"); !errors.Is(err, engine.ErrNotRunning) {
			t.Errorf("after the stop: %v", err)
		}
	})
}

func TestEngine_Backlogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e, h := startEngine(t, engine.Options{}, triggerSpec{Action: actionFunc(func(context.Context, event.Event) error {
			<-release
			return nil
		})})
		of := func() engine.Backlog { return e.Backlogs()[event.TriggerRef{Name: "t0"}] }
		if b := of(); b != (engine.Backlog{}) || !e.Running() {
			t.Errorf("before: %+v, running %v", b, e.Running())
		}
		first := time.Now()
		h.deliver("a", "1")
		advance(time.Second)
		h.deliver("a", "2")
		h.deliver("b", "3")
		if b := of(); b.Events != 3 || !b.Oldest.Equal(first) {
			t.Errorf("got %+v, want 3 since %s", b, first)
		}
		close(release)
		advance(0)
		if b := of(); b != (engine.Backlog{}) {
			t.Errorf("after: %+v", b)
		}
		h.stop()
		if e.Running() {
			t.Error("running after Run returned")
		}
	})
}
