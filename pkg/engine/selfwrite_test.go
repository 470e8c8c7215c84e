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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// fakeLoopDetector treats events whose ID starts with "own" as own, and all
// others as circular unless their ID starts with "foreign".
type fakeLoopDetector struct{ ready chan struct{} }

type causeKey struct{}

func (g fakeLoopDetector) OwnWrite(ctx context.Context, ev event.Event) (bool, error) {
	select {
	case <-g.ready:
		return strings.HasPrefix(ev.ID, "own"), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (g fakeLoopDetector) Circular(ev event.Event) bool {
	return !strings.HasPrefix(ev.ID, "foreign")
}

func (fakeLoopDetector) Turns(event.Event) int { return 0 }

func (fakeLoopDetector) Undone(event.Event) int { return 0 }

func (fakeLoopDetector) MayCause(event.Event) (may, direct bool) { return false, false }

func (g fakeLoopDetector) WithCauses(ctx context.Context, ev event.Event, _ string) context.Context {
	return context.WithValue(ctx, causeKey{}, ev.ID)
}

func detecting(p engine.Policy, ran *recorder) triggerSpec {
	held := make(chan struct{})
	close(held)
	return triggerSpec{
		LoopDetector: fakeLoopDetector{held}, Policy: p,
		Action: actionFunc(func(ctx context.Context, ev event.Event) error {
			if ctx.Value(causeKey{}) != ev.ID {
				return errors.New("WithCauses was not called")
			}
			ran.add(ev.ID)
			return nil
		}),
	}
}

func TestSelfTrigger_OwnWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran, all recorder
		h := start(t, engine.Options{}, detecting(engine.Policy{}, &ran), detecting(engine.Policy{AllowSelfTrigger: true}, &all))
		for _, id := range []string{"own-1", "foreign-1", "own-2"} {
			h.deliver("a", id)
		}
		advance(0)
		ran.want(t, "foreign-1")
		all.want(t, "own-1", "foreign-1", "own-2")
		h.wantDone("own-1", "foreign-1", "own-2")
		reasons := map[string]int{}
		for _, d := range h.decisionsOf("own-1") {
			reasons[d.Trigger.Name+" "+string(d.Outcome)+" "+d.Reason]++
		}
		if reasons["t0 suppressed OwnWrite"] != 1 || reasons["t1 succeeded "] != 1 {
			t.Errorf("decisions %v", reasons)
		}
		h.stop()
	})
}

// TestSelfTrigger_Debounce checks that own events are not merged with others.
func TestSelfTrigger_Debounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		h := start(t, engine.Options{}, detecting(engine.Policy{Debounce: time.Second}, &ran))
		for _, id := range []string{"own-1", "foreign-1", "own-2", "foreign-2", "own-3"} {
			h.deliver("a", id)
		}
		advance(time.Second)
		ran.want(t, "foreign-2")
		h.wantDone("own-1", "foreign-1", "own-2", "foreign-2", "own-3")
		h.stop()
	})
}

// TestSelfTrigger_StopWhileWaiting stops the engine while the detector waits: the
// event is requeued.
func TestSelfTrigger_StopWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		trigger := detecting(engine.Policy{}, &ran)
		trigger.LoopDetector = fakeLoopDetector{make(chan struct{})}
		h := start(t, engine.Options{ShutdownGrace: time.Second}, trigger)
		h.deliver("a", "1")
		advance(time.Minute)
		h.stop()
		ran.want(t)
		h.wantDone()
		h.wantOutcomes("1", engine.Requeued)
	})
}

func TestSelfTrigger_LoopBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		letters := &fakeDeadLetters{}
		h := start(t, engine.Options{DeadLetters: letters}, detecting(engine.Policy{}, &ran))
		var want []string
		for i := range engine.LoopLimit {
			want = append(want, fmt.Sprint(i))
			h.deliver("a", want[i])
		}
		done := slices.Clone(want)
		for _, id := range []string{"over-1", "over-2"} {
			h.deliver("a", id)
			done = append(done, id)
		}
		advance(0)
		ran.want(t, want...)
		for i, l := range letters.all() {
			if l.Event.ID != fmt.Sprintf("over-%d", i+1) || l.Reason != engine.ReasonLoopBroken || l.Attempts != 0 || !strings.Contains(l.Error, "trigger loop") {
				t.Errorf("dead letter %+v", l)
			}
		}
		if n := len(letters.all()); n != 2 {
			t.Errorf("%d dead letters, want 2", n)
		}
		// Other objects, events of others, and later events are not limited.
		h.deliver("b", "elsewhere")
		h.deliver("a", "foreign")
		advance(engine.LoopWindow)
		h.deliver("a", "later")
		advance(0)
		h.wantDone(append(done, "elsewhere", "foreign", "later")...)
		if len(letters.all()) != 2 {
			t.Error("another event was dead-lettered")
		}
		h.stop()
	})
}
