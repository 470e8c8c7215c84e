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

func TestDeliverToOneTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran, other recorder
		wantsNothing := subscription{accepts: func(event.Event) bool { return false }}
		e, r := startEngine(t, engine.Options{},
			engine.Trigger{Action: recording(&ran), Subscription: wantsNothing},
			engine.Trigger{Action: recording(&other)},
			engine.Trigger{Action: recording(&other), Policy: engine.Policy{Suspend: true}})
		done := 0
		deliver := func(trigger string) error {
			return e.Deliver(t.Context(), event.TriggerRef{Name: trigger}, event.Event{Key: "a", ID: "1", Time: time.Now()}, func() { done++ })
		}
		if err := deliver("t0"); err != nil {
			t.Error(err)
		}
		if err := deliver("t2"); !errors.Is(err, engine.ErrSuspended) {
			t.Errorf("to a suspended trigger: %v", err)
		}
		if err := deliver("t9"); !errors.Is(err, engine.ErrNotRunning) {
			t.Errorf("to no trigger: %v", err)
		}
		advance(0)
		ran.want(t, "1")
		other.want(t)
		if done != 1 {
			t.Errorf("done %d times", done)
		}
		r.stop()
		if err := deliver("t0"); !errors.Is(err, engine.ErrNotRunning) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e, r := startEngine(t, engine.Options{}, engine.Trigger{Action: actionFunc(func(context.Context, event.Event) error {
			<-release
			return nil
		})})
		of := func() engine.Backlog { return e.Backlogs()[event.TriggerRef{Name: "t0"}] }
		if b := of(); b != (engine.Backlog{}) || !e.Running() {
			t.Errorf("at first %+v, running %v", b, e.Running())
		}
		first := time.Now()
		r.deliver("a", "1")
		advance(time.Second)
		r.deliver("a", "2")
		r.deliver("b", "3")
		if b := of(); b.Events != 3 || !b.Oldest.Equal(first) {
			t.Errorf("got %+v, want 3 since %s", b, first)
		}
		close(release)
		advance(0)
		if b := of(); b != (engine.Backlog{}) {
			t.Errorf("at last %+v", b)
		}
		r.stop()
		if e.Running() {
			t.Error("runs after its end")
		}
	})
}
