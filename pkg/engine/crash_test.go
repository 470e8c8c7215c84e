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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// fakeCrashTracker records the calls.
type fakeCrashTracker struct {
	mu           sync.Mutex
	fatal        bool
	began, ended []string
}

func (f *fakeCrashTracker) Begin(id string) (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.began = append(f.began, id)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended = append(f.ended, id)
	}
}

func (f *fakeCrashTracker) Crashed() bool { return f.fatal }

func (f *fakeCrashTracker) want(t *testing.T, began, ended int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.began) != began || len(f.ended) != ended {
		t.Errorf("began %q and ended %q, want %d and %d", f.began, f.ended, began, ended)
	}
}

// noAction is the action of triggers whose filter never matches.
var noAction = actionFunc(func(context.Context, event.Event) error { return nil })

func TestCrash_TracksEvaluations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := &fakeCrashTracker{}
		filtered := filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
			if ev.ID == "long" {
				time.Sleep(time.Second)
			}
			return event.Verdict{}, nil
		})
		h := start(t, engine.Options{}, triggerSpec{Action: noAction, Filter: filtered, CrashTracker: tracker})
		h.deliver("a", "short")
		advance(time.Second)
		tracker.want(t, 1, 1)
		h.deliver("a", "long")
		advance(500 * time.Millisecond)
		tracker.want(t, 2, 1)
		advance(time.Second)
		tracker.want(t, 2, 2)
		h.stop()
		h.wantDone("short", "long")
	})
}

// TestCrash_Quarantine dead-letters the events of a trigger that has crashed the
// process, and reports it.
func TestCrash_Quarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		filtered := &recorder{}
		f := filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
			filtered.add(ev.ID)
			return event.Verdict{}, nil
		})
		h := start(t, engine.Options{}, triggerSpec{Action: noAction, Filter: f, CrashTracker: &fakeCrashTracker{fatal: true}})
		for _, id := range []string{"1", "2"} {
			h.deliver("a", id)
		}
		synctest.Wait()
		for _, id := range []string{"1", "2"} {
			h.wantOutcomes(id, engine.DeadLettered)
			if d := h.decisionsOf(id); d[0].Reason != engine.ReasonQuarantined {
				t.Errorf("reason %q, want %q", d[0].Reason, engine.ReasonQuarantined)
			}
		}
		filtered.want(t)
		if all := h.engine.Quarantines(); len(all) != 1 || !all[0].Crashed || all[0].Evaluation {
			t.Errorf("quarantines %+v", all)
		}
		h.stop()
		h.wantDone("1", "2")
	})
}
