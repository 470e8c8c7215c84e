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

package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// saverHarness runs a saver for a test, which ends it.
type saverHarness struct {
	*store.Saver
	store *fakeStore
	clock *testclock.FakeClock
	errs  chan error
	end   context.CancelFunc
	ended chan error
}

func newSaverHarness(t *testing.T, every time.Duration, changes int) *saverHarness {
	t.Helper()
	s := &saverHarness{store: newFakeStore(), clock: testclock.NewFakeClock(noon()), errs: make(chan error, 1000), ended: make(chan error, 1)}
	s.Saver = store.NewSaver(s.store, store.SaverOptions{
		MaxDelay: every, BatchSize: changes, GracePeriod: 10 * time.Second, Clock: s.clock,
		OnError: func(err error) { s.errs <- err },
	})
	ctx, end := context.WithCancel(t.Context())
	s.end = end
	go func() { s.ended <- s.Run(ctx) }()
	return s
}

// wantError waits until a failure is told.
func (s *saverHarness) wantError(t *testing.T) {
	t.Helper()
	if err := <-s.errs; err == nil {
		t.Error("told of no error")
	}
}

func (s *saverHarness) saveWatermark(n int) {
	s.Save("w", store.Change{Watermark: &store.Watermark{Position: strconv.Itoa(n)}, Inventory: map[string]*store.Entry{strconv.Itoa(n): entry(n)}})
}

func (s *saverHarness) wantTimers(t *testing.T, want bool) {
	t.Helper()
	eventually(t, func() error {
		if s.clock.HasWaiters() != want {
			return fmt.Errorf("waits: %t, want %t", !want, want)
		}
		return nil
	})
}

func (s *saverHarness) wantPosition(t *testing.T, position string) {
	t.Helper()
	eventually(t, func() error {
		if p, _ := s.store.state(); p != position {
			return fmt.Errorf("at %q, want %q", p, position)
		}
		return nil
	})
}

func TestSaverWaitsNoLonger(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 100)
	for n := range 50 {
		s.saveWatermark(n)
	}
	s.wantTimers(t, true)
	s.clock.Step(999 * time.Millisecond)
	if p, writes := s.store.state(); p != "" || writes != 0 {
		t.Errorf("at %q after %d writes, too early", p, writes)
	}
	s.clock.Step(time.Millisecond)
	s.wantPosition(t, "49")
	if _, writes := s.store.state(); writes != 1 {
		t.Errorf("%d writes, want 1", writes)
	}
	s.end()
	must(t, <-s.ended)
}

func TestSaverWritesFullBatches(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 100)
	for n := range 99 {
		s.saveWatermark(n)
	}
	s.wantTimers(t, true)
	if _, writes := s.store.state(); writes != 0 {
		t.Errorf("%d writes before the batch is full", writes)
	}
	s.Record(store.Run{})
	s.wantPosition(t, "98")
	s.end()
	must(t, <-s.ended)
}

func TestSaverRepeatsWhatFailed(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 1000)
	broken := errors.New("broken")
	s.store.fail(broken)
	const failures = 8
	for n := range failures {
		s.saveWatermark(n)
		s.Record(store.Run{Attempts: n})
		s.wantTimers(t, true)
		s.clock.Step(5 * time.Second)
		if err := <-s.errs; !errors.Is(err, broken) {
			t.Fatalf("told of %v", err)
		}
	}
	s.store.fail(nil)
	s.Save("w", store.Change{Inventory: map[string]*store.Entry{"0": nil}})
	s.wantTimers(t, true)
	s.clock.Step(5 * time.Second)
	s.wantPosition(t, strconv.Itoa(failures-1))
	s.end()
	must(t, <-s.ended)
	want := map[string]store.Entry{}
	for n := 1; n < failures; n++ {
		want[strconv.Itoa(n)] = *entry(n)
	}
	assertEqual(t, s.store.checkpoints["w"].Inventory, want)
	assertEqual(t, len(s.store.runs), failures)
	for n, r := range s.store.runs {
		assertEqual(t, r.Attempts, n)
	}
}

// TestSaverNeverBlocks saves while a write hangs.
func TestSaverNeverBlocks(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 1)
	release := make(chan struct{})
	s.store.mu.Lock()
	s.store.blocked = release
	s.store.mu.Unlock()
	for n := range 5000 {
		s.saveWatermark(n)
		s.Record(store.Run{Attempts: n})
	}
	if p, _ := s.store.state(); p != "" {
		t.Errorf("at %s while the store hangs", p)
	}
	close(release)
	s.wantPosition(t, "4999")
	s.end()
	must(t, <-s.ended)
	if n := len(s.store.runs); n < 1000 || s.store.runs[n-1].Attempts != 4999 {
		t.Errorf("%d runs, want at least the last 1000", n)
	}
}

func TestSaverWritesOnShutdown(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 1000)
	s.store.fail(errors.New("broken"))
	s.saveWatermark(7)
	s.end()
	for range 3 {
		s.wantError(t)
		s.wantTimers(t, true)
		s.clock.Step(time.Second)
	}
	s.store.fail(nil)
	s.wantTimers(t, true)
	s.clock.Step(2 * time.Second)
	must(t, <-s.ended)
	s.wantPosition(t, "7")
}

func TestSaverShutdownIsBounded(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 1000)
	broken := errors.New("broken")
	s.store.fail(broken)
	s.saveWatermark(7)
	s.end()
	s.wantError(t)
	s.wantTimers(t, true)
	// Both timers are due, and the other one may be picked some times.
	eventually(t, func() error {
		s.clock.Step(11 * time.Second)
		select {
		case err := <-s.ended:
			if !errors.Is(err, broken) {
				t.Errorf("got %v, want that it is broken", err)
			}
			return nil
		default:
			return errors.New("goes on")
		}
	})
}

func TestSaverFlush(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 1000)
	s.saveWatermark(1)
	must(t, s.Flush(t.Context()))
	s.wantPosition(t, "1")
	s.store.fail(errors.New("broken"))
	s.saveWatermark(2)
	if err := s.Flush(t.Context()); err == nil {
		t.Error("flushed to a broken store")
	}
	s.store.fail(nil)
	s.end()
	must(t, <-s.ended)
	s.wantPosition(t, "2")
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.Flush(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it is canceled", err)
	}
}

func TestSaverEndsWhenFenced(t *testing.T) {
	t.Parallel()
	for name, fence := range map[string]func(s *saverHarness){
		"by a write": func(s *saverHarness) { s.store.fail(store.ErrFenced); s.saveWatermark(1) },
		"while idle": func(s *saverHarness) { close(s.store.lost) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSaverHarness(t, time.Second, 1)
			fence(s)
			if err := <-s.ended; !errors.Is(err, store.ErrFenced) {
				t.Errorf("got %v, want fenced", err)
			}
			s.end()
		})
	}
}

func TestChangeThen(t *testing.T) {
	t.Parallel()
	first := store.Change{
		Watermark: &store.Watermark{Position: "1"}, Triggers: []string{"a"},
		Inventory: map[string]*store.Entry{"a": entry(1), "b": entry(1), "c": nil},
	}
	later := store.Change{Watermark: &store.Watermark{Position: "3"}, Inventory: map[string]*store.Entry{"a": nil, "c": entry(3)}}
	want := maps.Clone(later.Inventory)
	both := store.Change{}.Merge(first).Merge(later).Merge(store.Change{})
	assertEqual(t, both, store.Change{
		Watermark: &store.Watermark{Position: "3"}, Triggers: []string{"a"},
		Inventory: map[string]*store.Entry{"a": nil, "b": entry(1), "c": entry(3)},
	})
	assertEqual(t, store.Change{}.Merge(store.Change{Triggers: []string{}}).Triggers == nil, false)
	assertEqual(t, later.Inventory, want)
	assertEqual(t, first.Inventory["a"], entry(1))
}
