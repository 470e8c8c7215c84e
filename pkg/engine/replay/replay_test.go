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

// What packages start when they are loaded is not of this one.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// bed is a store with one letter, and an engine in whose place the test answers.
type bed struct {
	*testing.T
	store *file.Store
	id    string
	clock *testclock.FakeClock
	kick  chan struct{}
	end   func()

	mu        sync.Mutex
	refuses   error
	delivered []event.Event
	done      []func()
}

func newBed(t *testing.T, l store.Letter) *bed {
	t.Helper()
	b := &bed{T: t, clock: testclock.NewFakeClock(time.Now()), kick: make(chan struct{})}
	var err error
	if b.store, err = file.Open(t.Context(), filepath.Join(t.TempDir(), "store"), file.Options{}); err != nil {
		t.Fatal(err)
	}
	l.Trigger = event.Trigger{Name: "notify"}
	if b.id, err = b.store.Bury(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if err := b.store.Replay(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	b.end = func() {}
	t.Cleanup(func() {
		b.end()
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// start starts a replayer. It has looked once when this returns.
func (b *bed) start() {
	b.Helper()
	b.end()
	r := &replay.Replayer{
		Letters: b.store, Engine: b, Every: time.Minute, Kick: b.kick, Clock: b.clock,
		Complete: func(_ context.Context, ev event.Event) (event.Event, error) {
			if ev.Key == "gone" {
				return ev, errors.New("it is gone")
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
	b.end = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	b.look()
}

// look has the replayer look twice: the second time it has done all of the first.
func (b *bed) look() {
	b.kick <- struct{}{}
	b.kick <- struct{}{}
}

func (b *bed) Running() bool { return true }

// Deliver implements replay.Engine.
func (b *bed) Deliver(_ context.Context, t event.Trigger, ev event.Event, done func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.Name != "notify" {
		b.Errorf("delivered to %s", t)
	}
	if b.refuses != nil {
		return fmt.Errorf("deliver: %w", b.refuses)
	}
	b.delivered, b.done = append(b.delivered, ev), append(b.done, done)
	return nil
}

// deliveries wants n deliveries so far, and returns the last.
func (b *bed) deliveries(n int) (ev event.Event, done func()) {
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

func (b *bed) letter() (store.Letter, bool) {
	b.Helper()
	l, err := b.store.Letter(b.Context(), b.id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		b.Fatal(err)
	}
	return l, err == nil
}

func failed() store.Letter {
	return store.Letter{
		Reason: "TerminalError", Error: "refused", Attempts: 2,
		Event: event.Event{Source: "webhook", Type: "post", Key: "a", ID: "1", Data: map[string]any{"n": int64(1)}},
	}
}

func TestReplayed(t *testing.T) {
	b := newBed(t, failed())
	b.start()
	ev, done := b.deliveries(1)
	if ev.ID != "1" || ev.Data["n"] != int64(1) {
		t.Errorf("delivered %+v", ev)
	}
	if _, there := b.letter(); !there {
		t.Error("the letter went before its event was done")
	}
	b.look()
	b.deliveries(1) // it is with its trigger
	done()
	b.end()
	if l, there := b.letter(); there {
		t.Errorf("the letter is still there: %+v", l)
	}
}

// TestReplayedAfterACrash forgets what was under way.
func TestReplayedAfterACrash(t *testing.T) {
	b := newBed(t, failed())
	b.start()
	b.deliveries(1)
	b.start()
	_, done := b.deliveries(2)
	done()
	b.end()
	if _, there := b.letter(); there {
		t.Error("the letter is still there")
	}
}

// TestFailsAgain gives the event up once more: its letter stays, until somebody
// asks again.
func TestFailsAgain(t *testing.T) {
	b := newBed(t, failed())
	b.start()
	_, done := b.deliveries(1)
	again, _ := b.letter()
	again.Attempts = 7
	if _, err := b.store.Bury(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	done()
	b.look()
	b.deliveries(1)
	b.start()
	b.deliveries(1)
	if l, there := b.letter(); !there || l.Attempts != 7 || !l.Replay.IsZero() {
		t.Errorf("got %+v, %v", l, there)
	}
}

func TestNotReplayed(t *testing.T) {
	for name, c := range map[string]struct {
		letter  store.Letter
		refuses error
		want    string
	}{
		"no such trigger": {failed(), engine.ErrNotRunning, "deliver: no such trigger runs"},
		"its object is gone": {store.Letter{Event: event.Event{Key: "gone", Data: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "x"},
		}}}, nil, "it is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, c.letter)
			b.refuses = c.refuses
			b.start()
			b.deliveries(0)
			if l, there := b.letter(); !there || l.Reason != replay.ReasonFailed || l.Error != c.want || !l.Replay.IsZero() {
				t.Errorf("got %+v, %v", l, there)
			}
		})
	}
}

// TestTriedAgain has a trigger that is suspended, and then an engine that takes
// nothing: both pass.
func TestTriedAgain(t *testing.T) {
	for _, why := range []error{engine.ErrSuspended, errors.New("the engine stops")} {
		t.Run(why.Error(), func(t *testing.T) {
			b := newBed(t, failed())
			b.refuses = why
			b.start()
			if ids, err := b.store.Asked(t.Context()); err != nil || !slices.Equal(ids, []string{b.id}) {
				t.Errorf("asked for %v, %v", ids, err)
			}
			b.mu.Lock()
			b.refuses = nil
			b.mu.Unlock()
			b.deliveries(0)
			b.clock.Step(time.Minute)
			b.look()
			b.deliveries(1)
		})
	}
}

// TestSecretIsReadAgain has a letter that holds no data.
func TestSecretIsReadAgain(t *testing.T) {
	l := failed()
	l.Event.Data = map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a": "b"}}
	b := newBed(t, l)
	b.start()
	if ev, _ := b.deliveries(1); ev.Data["complete"] != true {
		t.Errorf("delivered %+v", ev)
	}
}
