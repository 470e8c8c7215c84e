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
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// stuckFilter returns a trigger whose filter does not return for the event "bomb"
// until defused is closed.
func stuckFilter(ran *recorder, defused <-chan struct{}) triggerSpec {
	return triggerSpec{
		Policy: engine.Policy{QueueSize: 3},
		Filter: filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
			if ev.ID == "bomb" {
				<-defused
			}
			return event.Verdict{Match: true}, nil
		}),
		Action: recording(ran),
	}
}

func recording(ran *recorder) actionFunc {
	return func(_ context.Context, ev event.Event) error {
		ran.add(ev.ID)
		return nil
	}
}

func TestQuarantine_Evaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bad, good recorder
		defused, letters := make(chan struct{}), &fakeDeadLetters{}
		e, h := startEngine(t, engine.Options{DeadLetters: letters}, stuckFilter(&bad, defused), triggerSpec{Action: recording(&good)})
		h.deliver("a", "bomb")
		advance(engine.EvaluationLimit - time.Millisecond)
		if len(e.Quarantines()) != 0 {
			t.Error("quarantined too early")
		}
		advance(time.Millisecond)
		if q := e.Quarantines(); len(q) != 1 || q[0].Trigger.Name != "t0" || !q[0].Evaluation || time.Since(q[0].Since) != 0 {
			t.Errorf("quarantines %+v", q)
		}
		// The event is a dead letter. Others wait, without blocking the other
		// trigger.
		for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
			h.deliver(id, id)
			advance(0)
		}
		advance(time.Minute)
		bad.want(t)
		good.want(t, "bomb", "1", "2", "3", "4", "5", "6")
		if all := letters.all(); len(all) != 4 || all[3].Event.ID != "bomb" || all[0].Event.ID != "4" || all[0].Reason != engine.ReasonQuarantined {
			t.Errorf("dead letters %+v", all)
		}
		h.wantDone("bomb", "4", "5", "6")
		close(defused)
		advance(0)
		bad.wantAnyOrder(t, "1", "2", "3")
		h.wantDone("bomb", "1", "2", "3", "4", "5", "6")
		if q := e.Quarantines(); len(q) != 0 {
			t.Errorf("still in quarantine: %+v", q)
		}
		h.stop()
	})
}

func TestQuarantine_HungActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never, hang := 0, make(chan struct{})
		e, h := startEngine(t, engine.Options{}, triggerSpec{
			Policy: engine.Policy{Concurrency: 1, Timeout: time.Second, Retry: engine.Retry{Limit: &never}},
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				if ev.ID == "hangs" {
					<-hang
				}
				return nil
			}),
		})
		h.deliver("a", "hangs")
		h.deliver("b", "waits")
		advance(time.Minute)
		if q := e.Quarantines(); len(q) != 1 || q[0].Evaluation {
			t.Errorf("quarantines %+v", q)
		}
		h.wantDone("hangs")
		close(hang)
		advance(0)
		h.wantDone("hangs", "waits")
		if q := e.Quarantines(); len(q) != 0 {
			t.Errorf("still in quarantine: %+v", q)
		}
		h.stop()
	})
}
