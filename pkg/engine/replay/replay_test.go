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

package replay_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/engine/replay"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// Goroutines that imported packages start are ignored.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// env is a store with one dead letter, and a fake engine.
type env struct {
	*testing.T
	store *file.Store
	id    string
	clock *testclock.FakeClock
	wake  chan struct{}
	stop  func()

	mu        sync.Mutex
	err       error
	delivered []event.Event
	done      []func()
	// attempts receives a value for each delivery, also for those that fail.
	attempts chan struct{}
}

func newEnv(t *testing.T, l store.DeadLetter) *env {
	t.Helper()
	e := &env{T: t, clock: testclock.NewFakeClock(time.Now()), wake: make(chan struct{}), attempts: make(chan struct{}, 100)}
	var err error
	if e.store, err = file.Open(t.Context(), filepath.Join(t.TempDir(), "store"), file.Options{}); err != nil {
		t.Fatal(err)
	}
	l.Trigger = event.TriggerRef{Name: "notify"}
	if e.id, err = e.store.DeadLetters().Put(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := e.store.DeadLetters().RequestReplay(t.Context(), e.id); err != nil {
		t.Fatal(err)
	}
	e.stop = func() {}
	t.Cleanup(func() {
		e.stop()
		if err := e.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// start starts a replayer, and waits for its first poll.
func (e *env) start() {
	e.Helper()
	e.stop()
	r := &replay.Replayer{
		DeadLetters: e.store.DeadLetters(), Engine: e, Interval: time.Minute, Wake: e.wake, Clock: e.clock,
		Complete: func(_ context.Context, l store.DeadLetter) (event.Event, bool, error) {
			ev := l.Event
			if ev.Key == "gone" {
				return ev, false, errors.New("not found")
			}
			ev.Data = map[string]any{"complete": true}
			return ev, false, nil
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	e.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	e.poll()
}

// poll makes the replayer poll twice: by the second poll, it has finished the
// first.
func (e *env) poll() {
	e.wake <- struct{}{}
	e.wake <- struct{}{}
}

func (e *env) Running() bool { return true }

// Deliver implements replay.Engine.
func (e *env) Deliver(_ context.Context, t event.TriggerRef, ev event.Event, d source.Delivery) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t.Name != "notify" {
		e.Errorf("delivered to %s", t)
	}
	e.attempts <- struct{}{}
	if e.err != nil {
		return fmt.Errorf("deliver: %w", e.err)
	}
	e.delivered, e.done = append(e.delivered, ev), append(e.done, d.Done)
	return nil
}

// wantDeliveries wants n deliveries so far, and returns the last.
func (e *env) wantDeliveries(n int) (ev event.Event, done func()) {
	e.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.delivered) != n {
		e.Fatalf("%d deliveries, want %d", len(e.delivered), n)
	}
	if n == 0 {
		return event.Event{}, nil
	}
	return e.delivered[n-1], e.done[n-1]
}

func (e *env) deadLetter() (store.DeadLetter, bool) {
	e.Helper()
	l, err := e.store.DeadLetters().Get(e.Context(), e.id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		e.Fatal(err)
	}
	return l, err == nil
}

func failedLetter() store.DeadLetter {
	return store.DeadLetter{
		Reason: "TerminalError", Error: "refused", Attempts: 2,
		Event: event.Event{Source: "webhook", Type: "post", Key: "a", ID: "1", Data: map[string]any{"n": int64(1)}},
	}
}

func TestReplay_Delivered(t *testing.T) {
	e := newEnv(t, failedLetter())
	e.start()
	ev, done := e.wantDeliveries(1)
	if ev.ID != "1" || ev.Data["n"] != int64(1) {
		t.Errorf("delivered %+v", ev)
	}
	if _, exists := e.deadLetter(); !exists {
		t.Error("the dead letter was deleted before its event was done")
	}
	e.poll()
	e.wantDeliveries(1) // still in progress
	done()
	e.stop()
	if l, exists := e.deadLetter(); exists {
		t.Errorf("the dead letter still exists: %+v", l)
	}
}

// TestReplay_AfterCrash restarts the replayer, which forgets the replays in
// progress.
func TestReplay_AfterCrash(t *testing.T) {
	e := newEnv(t, failedLetter())
	e.start()
	first, _ := e.wantDeliveries(1)
	e.start()
	again, done := e.wantDeliveries(2)
	done()
	e.stop()
	if first.Replay == "" || again.Replay != first.Replay {
		t.Errorf("replay %q, and after the restart %q, want the same", first.Replay, again.Replay)
	}
	if _, exists := e.deadLetter(); exists {
		t.Error("the dead letter still exists")
	}
}

// TestReplay_DeadLetteredAgain dead-letters the event again: the dead letter
// stays until another replay is requested.
func TestReplay_DeadLetteredAgain(t *testing.T) {
	e := newEnv(t, failedLetter())
	e.start()
	first, done := e.wantDeliveries(1)
	again, _ := e.deadLetter()
	again.Attempts = 7
	if _, err := e.store.DeadLetters().Put(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	done()
	e.poll()
	e.wantDeliveries(1)
	e.start()
	e.wantDeliveries(1)
	if l, exists := e.deadLetter(); !exists || l.Attempts != 7 || !l.ReplayRequestedAt.IsZero() {
		t.Errorf("got %+v, %v", l, exists)
	}
	if err := e.store.DeadLetters().RequestReplay(t.Context(), e.id); err != nil {
		t.Fatal(err)
	}
	e.start()
	if second, _ := e.wantDeliveries(2); second.Replay == first.Replay {
		t.Errorf("both replays are %q", first.Replay)
	}
}

func TestReplay_Failed(t *testing.T) {
	for name, c := range map[string]struct {
		dl   store.DeadLetter
		err  error
		want string
	}{
		"unknown-trigger": {failedLetter(), engine.ErrNotRunning, "deliver: the trigger is not running"},
		"deleted-object": {store.DeadLetter{Event: event.Event{Key: "gone", Data: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "x"},
		}}}, nil, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, c.dl)
			e.err = c.err
			e.start()
			e.wantDeliveries(0)
			if l, exists := e.deadLetter(); !exists || l.Reason != replay.ReasonFailed || l.Error != c.want || !l.ReplayRequestedAt.IsZero() {
				t.Errorf("got %+v, %v", l, exists)
			}
		})
	}
}

// TestReplay_Retried replays to a suspended trigger, and then to an engine that
// is stopping.
func TestReplay_Retried(t *testing.T) {
	for name, err := range map[string]error{"suspended": engine.ErrSuspended, "stopping": errors.New("the engine is stopping")} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, failedLetter())
			e.err = err
			e.start()
			if ids, err := e.store.DeadLetters().ReplayRequested(t.Context()); err != nil || !slices.Equal(ids, []string{e.id}) {
				t.Errorf("requested %v, %v", ids, err)
			}
			for range 3 { // of the start, and of both polls
				<-e.attempts
			}
			e.mu.Lock()
			e.err = nil
			e.mu.Unlock()
			e.wantDeliveries(0)
			e.clock.Step(time.Minute)
			e.poll()
			e.wantDeliveries(1)
		})
	}
}

// TestReplay_Refetch replays a dead letter without data.
func TestReplay_Refetch(t *testing.T) {
	l := failedLetter()
	l.Event.Data = map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a": "b"}}
	e := newEnv(t, l)
	e.start()
	if ev, _ := e.wantDeliveries(1); ev.Data["complete"] != true {
		t.Errorf("delivered %+v", ev)
	}
}
