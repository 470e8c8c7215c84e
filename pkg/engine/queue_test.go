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
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

func TestEngine_OrderPerKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := map[string]*recorder{"a": {}, "b": {}, "c": {}}
		failures := 2
		h := start(t, engine.Options{}, triggerSpec{
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				ran[ev.Key].add(ev.ID)
				if ev.ID == "a2" && failures > 0 {
					failures--
					return errors.New("not yet")
				}
				return nil
			}),
		})
		var all []string
		for i := range 5 {
			for _, key := range []string{"a", "b", "c"} {
				id := fmt.Sprint(key, i)
				all = append(all, id)
				h.deliver(key, id)
			}
		}
		synctest.Wait()
		ran["a"].want(t, "a0", "a1", "a2")
		ran["b"].want(t, "b0", "b1", "b2", "b3", "b4")
		ran["c"].want(t, "c0", "c1", "c2", "c3", "c4")
		advance(time.Minute)
		ran["a"].want(t, "a0", "a1", "a2", "a2", "a2", "a3", "a4")
		h.wantDone(all...)
		h.stop()
	})
}

func TestEngine_RetryHoldsNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{Concurrency: 1},
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				if ev.Key == "bad" {
					return errors.New("refused")
				}
				return nil
			}),
		})
		h.deliver("bad", "1")
		h.deliver("bad", "2")
		h.deliver("good", "3")
		synctest.Wait()
		h.wantOutcomes("1", engine.Failed)
		h.wantOutcomes("2")
		h.wantOutcomes("3", engine.Succeeded)
		h.wantDone("3")
		h.stop()
	})
}

func TestEngine_RoundRobin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		gate := make(chan struct{})
		h := start(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{Concurrency: 1},
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				<-gate
				ran.add(ev.ID)
				return nil
			}),
		})
		for _, id := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
			h.deliver(id[:1], id)
		}
		close(gate)
		synctest.Wait()
		ran.want(t, "a1", "b1", "c1", "a2", "b2", "a3")
		h.stop()
	})
}

func TestEngine_Concurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var ran recorder
		h := start(t, engine.Options{Defaults: engine.Policy{Concurrency: 3}}, triggerSpec{
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				ran.add(ev.ID)
				<-gate
				return nil
			}),
		})
		for i := range 5 {
			id := fmt.Sprint(i)
			h.deliver(id, id)
		}
		synctest.Wait()
		if slices.Sort(ran.ids); len(ran.ids) != 3 {
			t.Errorf("running concurrently: %v, want 3", ran.ids)
		}
		close(gate)
		synctest.Wait()
		h.wantDone("0", "1", "2", "3", "4")
		h.stop()
	})
}

func TestEngine_IndependentTriggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		h := start(t, engine.Options{},
			triggerSpec{
				Subscription: subscription{accepts: func(ev event.Event) bool { return ev.Key < "k08" }},
				Action: actionFunc(func(context.Context, event.Event) error {
					<-hang
					return nil
				}),
			},
			triggerSpec{Action: actionFunc(func(context.Context, event.Event) error { return nil })},
		)
		for i := range 500 {
			h.deliver(fmt.Sprintf("k%02d", i%100), fmt.Sprint(i))
		}
		synctest.Wait()
		succeeded := 0
		for _, d := range h.decisions {
			if d.Outcome == engine.Succeeded && d.Trigger.Name == "t1" {
				succeeded++
			}
		}
		if succeeded != 500 {
			t.Errorf("%d events of the other trigger succeeded, want 500", succeeded)
		}
		close(hang)
		h.stop()
	})
}
