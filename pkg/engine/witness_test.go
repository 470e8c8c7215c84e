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
	"github.com/kubevela/kube-trigger/pkg/filter"
)

// fakeCrashTracker is one that knows of one fatal event, and what it was told.
type fakeCrashTracker struct {
	mu           sync.Mutex
	fatal        string
	begun, ended []string
}

func (w *fakeCrashTracker) Begin(id string) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = append(w.begun, id)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = append(w.ended, id)
	}
}

func (w *fakeCrashTracker) Fatal(id string) bool { return id == w.fatal }

func (w *fakeCrashTracker) want(t *testing.T, begun, ended int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.begun) != begun || len(w.ended) != ended {
		t.Errorf("evaluations of %q begun and of %q ended, want %d and %d", w.begun, w.ended, begun, ended)
	}
}

// noAction is never asked: no filter here says yes.
var noAction = actionFunc(func(context.Context, event.Event) error { return nil })

func TestAWitnessIsToldOfEvaluations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeCrashTracker{}
		asked := filterFunc(func(_ context.Context, ev event.Event) (filter.Verdict, error) {
			if ev.ID == "long" {
				time.Sleep(time.Second)
			}
			return filter.Verdict{}, nil
		})
		r := start(t, engine.Options{}, engine.Trigger{Action: noAction, Filter: asked, CrashTracker: w})
		r.deliver("a", "short")
		advance(time.Second)
		w.want(t, 1, 1)
		r.deliver("a", "long")
		advance(500 * time.Millisecond)
		w.want(t, 2, 1)
		advance(time.Second)
		w.want(t, 2, 2)
		r.stop()
		r.wantDone("short", "long")
	})
}

func TestAFatalEventIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &recorder{}
		f := filterFunc(func(_ context.Context, ev event.Event) (filter.Verdict, error) {
			asked.add(ev.ID)
			return filter.Verdict{}, nil
		})
		r := start(t, engine.Options{}, engine.Trigger{Action: noAction, Filter: f, CrashTracker: &fakeCrashTracker{fatal: "bad"}})
		for _, id := range []string{"good", "bad", "better"} {
			r.deliver("a", id)
		}
		synctest.Wait()
		r.wantOutcomes("bad", engine.DeadLettered)
		if d := r.decisionsOf("bad"); d[0].Reason != engine.ReasonQuarantined {
			t.Errorf("given up for %q, want %q", d[0].Reason, engine.ReasonQuarantined)
		}
		asked.want(t, "good", "better")
		r.stop()
		r.wantDone("good", "bad", "better")
	})
}
