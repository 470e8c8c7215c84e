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

// guard takes events whose IDs begin so for own, or for circular.
type guard struct{ held chan struct{} }

type actingOn struct{}

func (g guard) Own(ctx context.Context, ev event.Event) (bool, error) {
	select {
	case <-g.held:
		return strings.HasPrefix(ev.ID, "own"), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (g guard) Circular(ev event.Event) bool { return !strings.HasPrefix(ev.ID, "foreign") }

func (g guard) Acting(ctx context.Context, ev event.Event) context.Context {
	return context.WithValue(ctx, actingOn{}, ev.ID)
}

func guarded(p engine.Policy, ran *tape) engine.Trigger {
	held := make(chan struct{})
	close(held)
	return engine.Trigger{
		Guard: guard{held}, Policy: p,
		Action: actionFunc(func(ctx context.Context, ev event.Event) error {
			if ctx.Value(actingOn{}) != ev.ID {
				return errors.New("the guard does not know of the action")
			}
			ran.add(ev.ID)
			return nil
		}),
	}
}

func TestOwnEventsAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran, all tape
		r := start(t, engine.Options{}, guarded(engine.Policy{}, &ran), guarded(engine.Policy{AllowSelfTrigger: true}, &all))
		for _, id := range []string{"own-1", "foreign-1", "own-2"} {
			r.deliver("a", id)
		}
		pass(0)
		ran.want(t, "foreign-1")
		all.want(t, "own-1", "foreign-1", "own-2")
		r.wantDone("own-1", "foreign-1", "own-2")
		reasons := map[string]int{}
		for _, d := range r.of("own-1") {
			reasons[d.Trigger.Name+" "+string(d.Outcome)+" "+d.Reason]++
		}
		if reasons["t0 suppressed OwnWrite"] != 1 || reasons["t1 acted "] != 1 {
			t.Errorf("decisions %v", reasons)
		}
		r.stop()
	})
}

// TestOwnEventsInAWindow neither stand for others nor let others stand for them.
func TestOwnEventsInAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran tape
		r := start(t, engine.Options{}, guarded(engine.Policy{Debounce: time.Second}, &ran))
		for _, id := range []string{"own-1", "foreign-1", "own-2", "foreign-2", "own-3"} {
			r.deliver("a", id)
		}
		pass(time.Second)
		ran.want(t, "foreign-2")
		r.wantDone("own-1", "foreign-1", "own-2", "foreign-2", "own-3")
		r.stop()
	})
}

// TestGuardIsWaitedFor stops the engine while the guard waits: the event is
// returned.
func TestGuardIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran tape
		trigger := guarded(engine.Policy{}, &ran)
		trigger.Guard = guard{make(chan struct{})}
		r := start(t, engine.Options{ShutdownGrace: time.Second}, trigger)
		r.deliver("a", "1")
		pass(time.Minute)
		r.stop()
		ran.want(t)
		r.wantDone()
		r.wantOutcomes("1", engine.Returned)
	})
}

func TestCircleIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran tape
		letters := &cemetery{}
		r := start(t, engine.Options{Letters: letters}, guarded(engine.Policy{}, &ran))
		var want []string
		for i := range engine.LoopLimit {
			want = append(want, fmt.Sprint(i))
			r.deliver("a", want[i])
		}
		done := slices.Clone(want)
		for _, id := range []string{"over-1", "over-2"} {
			r.deliver("a", id)
			done = append(done, id)
		}
		pass(0)
		ran.want(t, want...)
		for i, l := range letters.all() {
			if l.Event.ID != fmt.Sprintf("over-%d", i+1) || l.Reason != engine.ReasonLoopBroken || l.Attempts != 0 || !strings.Contains(l.Error, "circle") {
				t.Errorf("letter %+v", l)
			}
		}
		if n := len(letters.all()); n != 2 {
			t.Errorf("%d letters, want 2", n)
		}
		// Other objects, others' events, and later ones are not concerned.
		r.deliver("b", "elsewhere")
		r.deliver("a", "foreign")
		pass(engine.LoopWindow)
		r.deliver("a", "later")
		pass(0)
		r.wantDone(append(done, "elsewhere", "foreign", "later")...)
		if len(letters.all()) != 2 {
			t.Error("something else was given up")
		}
		r.stop()
	})
}
