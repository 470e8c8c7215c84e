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
}

func newEnv(t *testing.T, l store.DeadLetter) *env {
	t.Helper()
	b := &env{T: t, clock: testclock.NewFakeClock(time.Now()), wake: make(chan struct{})}
	var err error
	if b.store, err = file.Open(t.Context(), filepath.Join(t.TempDir(), "store"), file.Options{}); err != nil {
		t.Fatal(err)
	}
	l.Trigger = event.TriggerRef{Name: "notify"}
	if b.id, err = b.store.PutDeadLetter(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := b.store.RequestReplay(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	b.stop = func() {}
	t.Cleanup(func() {
		b.stop()
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// start starts a replayer, and waits for its first poll.
func (b *env) start() {
	b.Helper()
	b.stop()
	r := &replay.Replayer{
		DeadLetters: b.store, Engine: b, Interval: time.Minute, Wake: b.wake, Clock: b.clock,
		Complete: func(_ context.Context, ev event.Event) (event.Event, error) {
			if ev.Key == "gone" {
				return ev, errors.New("not found")
			}
			ev.Data = map[string]any{"complete": true}
			return ev, nil
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	b.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	b.poll()
}

// poll makes the replayer poll twice: by the second poll, it has finished the
// first.
func (b *env) poll() {
	b.wake <- struct{}{}
	b.wake <- struct{}{}
}

func (b *env) Running() bool { return true }

// Deliver implements replay.Engine.
func (b *env) Deliver(_ context.Context, t event.TriggerRef, ev event.Event, done func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.Name != "notify" {
		b.Errorf("delivered to %s", t)
	}
	if b.err != nil {
		return fmt.Errorf("deliver: %w", b.err)
	}
	b.delivered, b.done = append(b.delivered, ev), append(b.done, done)
	return nil
}

// wantDeliveries wants n deliveries so far, and returns the last.
func (b *env) wantDeliveries(n int) (ev event.Event, done func()) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.delivered) != n {
		b.Fatalf("%d deliveries, want %d", len(b.delivered), n)
	}
	if n == 0 {
		return event.Event{}, nil
	}
	return b.delivered[n-1], b.done[n-1]
}

func (b *env) deadLetter() (store.DeadLetter, bool) {
	b.Helper()
	l, err := b.store.GetDeadLetter(b.Context(), b.id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		b.Fatal(err)
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
	b := newEnv(t, failedLetter())
	b.start()
	ev, done := b.wantDeliveries(1)
	if ev.ID != "1" || ev.Data["n"] != int64(1) {
		t.Errorf("delivered %+v", ev)
	}
	if _, exists := b.deadLetter(); !exists {
		t.Error("the dead letter was deleted before its event was done")
	}
	b.poll()
	b.wantDeliveries(1) // still in progress
	done()
	b.stop()
	if l, exists := b.deadLetter(); exists {
		t.Errorf("the dead letter still exists: %+v", l)
	}
}

// TestReplay_AfterCrash restarts the replayer, which forgets the replays in
// progress.
func TestReplay_AfterCrash(t *testing.T) {
	b := newEnv(t, failedLetter())
	b.start()
	b.wantDeliveries(1)
	b.start()
	_, done := b.wantDeliveries(2)
	done()
	b.stop()
	if _, exists := b.deadLetter(); exists {
		t.Error("the dead letter still exists")
	}
}

// TestReplay_DeadLetteredAgain dead-letters the event again: the dead letter
// stays until another replay is requested.
func TestReplay_DeadLetteredAgain(t *testing.T) {
	b := newEnv(t, failedLetter())
	b.start()
	_, done := b.wantDeliveries(1)
	again, _ := b.deadLetter()
	again.Attempts = 7
	if _, err := b.store.PutDeadLetter(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	done()
	b.poll()
	b.wantDeliveries(1)
	b.start()
	b.wantDeliveries(1)
	if l, exists := b.deadLetter(); !exists || l.Attempts != 7 || !l.ReplayRequestedAt.IsZero() {
		t.Errorf("got %+v, %v", l, exists)
	}
}

func TestReplay_Failed(t *testing.T) {
	for name, c := range map[string]struct {
		letter  store.DeadLetter
		refuses error
		want    string
	}{
		"unknown-trigger": {failedLetter(), engine.ErrNotRunning, "deliver: the trigger is not running"},
		"deleted-object": {store.DeadLetter{Event: event.Event{Key: "gone", Data: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "x"},
		}}}, nil, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newEnv(t, c.letter)
			b.err = c.refuses
			b.start()
			b.wantDeliveries(0)
			if l, exists := b.deadLetter(); !exists || l.Reason != replay.ReasonFailed || l.Error != c.want || !l.ReplayRequestedAt.IsZero() {
				t.Errorf("got %+v, %v", l, exists)
			}
		})
	}
}

// TestReplay_Retried replays to a suspended trigger, and then to an engine that
// is stopping.
func TestReplay_Retried(t *testing.T) {
	for _, why := range []error{engine.ErrSuspended, errors.New("the engine is stopping")} {
		t.Run(why.Error(), func(t *testing.T) {
			b := newEnv(t, failedLetter())
			b.err = why
			b.start()
			if ids, err := b.store.ReplayRequested(t.Context()); err != nil || !slices.Equal(ids, []string{b.id}) {
				t.Errorf("requested %v, %v", ids, err)
			}
			b.mu.Lock()
			b.err = nil
			b.mu.Unlock()
			b.wantDeliveries(0)
			b.clock.Step(time.Minute)
			b.poll()
			b.wantDeliveries(1)
		})
	}
}

// TestReplay_Refetch replays a dead letter without data.
func TestReplay_Refetch(t *testing.T) {
	l := failedLetter()
	l.Event.Data = map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a": "b"}}
	b := newEnv(t, l)
	b.start()
	if ev, _ := b.wantDeliveries(1); ev.Data["complete"] != true {
		t.Errorf("delivered %+v", ev)
	}
}
