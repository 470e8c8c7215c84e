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
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// saverHarness runs a BatchSaver with a fakeStore. Tests stop it, and read done.
type saverHarness struct {
	*store.BatchSaver
	store *fakeStore
	clock *testclock.FakeClock
	errs  chan error
	stop  context.CancelFunc
	done  chan error
}

func newSaverHarness(t *testing.T, maxDelay time.Duration, batchSize int) *saverHarness {
	t.Helper()
	s := &saverHarness{store: newFakeStore(), clock: testclock.NewFakeClock(noon()), errs: make(chan error, 1000), done: make(chan error, 1)}
	s.BatchSaver = store.NewBatchSaver(s.store, store.BatchSaverOptions{
		MaxDelay: maxDelay, BatchSize: batchSize, GracePeriod: 10 * time.Second, Clock: s.clock,
		OnError: func(err error) { s.errs <- err },
	})
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	go func() { s.done <- s.Run(ctx) }()
	return s
}

// wantError waits for a call of OnError.
func (s *saverHarness) wantError(t *testing.T) {
	t.Helper()
	if err := <-s.errs; err == nil {
		t.Error("OnError called without an error")
	}
}

func (s *saverHarness) saveWatermark(n int) {
	s.Save("w", store.Change{Cursor: ptr.To(strconv.Itoa(n)), Values: map[string][]byte{strconv.Itoa(n): value(n)}})
}

// wantTimers waits until the Saver waits for n timers.
func (s *saverHarness) wantTimers(t *testing.T, n int) {
	t.Helper()
	eventually(t, func() error {
		if got := s.clock.Waiters(); got != n {
			return fmt.Errorf("clock has %d waiters, want %d", got, n)
		}
		return nil
	})
}

func (s *saverHarness) wantPosition(t *testing.T, position string) {
	t.Helper()
	eventually(t, func() error {
		if p, _ := s.store.state(); p != position {
			return fmt.Errorf("position %q, want %q", p, position)
		}
		return nil
	})
}

func TestSaver_MaxDelay(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 100)
	for n := range 50 {
		s.saveWatermark(n)
	}
	s.wantTimers(t, 1)
	s.clock.Step(999 * time.Millisecond)
	if p, writes := s.store.state(); p != "" || writes != 0 {
		t.Errorf("position %q after %d writes, before MaxDelay", p, writes)
	}
	s.clock.Step(time.Millisecond)
	s.wantPosition(t, "49")
	if _, writes := s.store.state(); writes != 1 {
		t.Errorf("%d writes, want 1", writes)
	}
	s.stop()
	must(t, <-s.done)
}

func TestSaver_BatchSize(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 100)
	for n := range 99 {
		s.saveWatermark(n)
	}
	s.wantTimers(t, 1)
	if _, writes := s.store.state(); writes != 0 {
		t.Errorf("%d writes before the batch is full", writes)
	}
	s.Save("w", store.Change{})
	s.wantPosition(t, "98")
	s.stop()
	must(t, <-s.done)
}

func TestSaver_Retry(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 1000)
	broken := errors.New("broken")
	s.store.fail(broken)
	const failures = 8
	for n := range failures {
		s.saveWatermark(n)
		s.wantTimers(t, 1)
		s.clock.Step(5 * time.Second)
		if err := <-s.errs; !errors.Is(err, broken) {
			t.Fatalf("OnError: %v", err)
		}
	}
	s.store.fail(nil)
	s.Save("w", store.Change{Values: map[string][]byte{"0": nil}})
	s.wantTimers(t, 1)
	s.clock.Step(5 * time.Second)
	s.wantPosition(t, strconv.Itoa(failures-1))
	s.stop()
	must(t, <-s.done)
	want := map[string][]byte{}
	for n := 1; n < failures; n++ {
		want[strconv.Itoa(n)] = value(n)
	}
	assertEqual(t, s.store.checkpoints["w"].Values, want)
}

// TestSaver_NonBlocking calls Save while a write is blocked.
func TestSaver_NonBlocking(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 1)
	unblock := make(chan struct{})
	s.store.mu.Lock()
	s.store.blocked = unblock
	s.store.mu.Unlock()
	for n := range 5000 {
		s.saveWatermark(n)
	}
	if p, _ := s.store.state(); p != "" {
		t.Errorf("position %s while the store is blocked", p)
	}
	close(unblock)
	s.wantPosition(t, "4999")
	s.stop()
	must(t, <-s.done)
}

func TestSaver_Shutdown(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 1000)
	s.store.fail(errors.New("broken"))
	s.saveWatermark(7)
	s.wantTimers(t, 1)
	s.stop()
	for range 3 {
		s.wantError(t)
		s.wantTimers(t, 3) // MaxDelay, GracePeriod, backoff
		s.clock.Step(time.Second)
	}
	s.wantError(t)
	s.wantTimers(t, 3)
	s.store.fail(nil)
	s.clock.Step(2 * time.Second)
	must(t, <-s.done)
	s.wantPosition(t, "7")
}

func TestSaver_ShutdownTimeout(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 1000)
	broken := errors.New("broken")
	s.store.fail(broken)
	s.saveWatermark(7)
	s.wantTimers(t, 1)
	s.stop()
	s.wantError(t)
	s.wantTimers(t, 3)
	// Both timers are due. The retry may be selected several times.
	eventually(t, func() error {
		s.clock.Step(11 * time.Second)
		select {
		case err := <-s.done:
			if !errors.Is(err, broken) {
				t.Errorf("got %v, want broken", err)
			}
			return nil
		default:
			return errors.New("still running")
		}
	})
}

func TestSaver_Flush(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Hour, 1000)
	s.saveWatermark(1)
	must(t, s.Flush(t.Context()))
	s.wantPosition(t, "1")
	s.store.fail(errors.New("broken"))
	s.saveWatermark(2)
	if err := s.Flush(t.Context()); err == nil {
		t.Error("no error from a broken store")
	}
	s.store.fail(nil)
	s.stop()
	must(t, <-s.done)
	s.wantPosition(t, "2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func TestSaver_Fenced(t *testing.T) {
	t.Parallel()
	for name, fence := range map[string]func(s *saverHarness){
		"write": func(s *saverHarness) { s.store.fail(store.ErrFenced); s.saveWatermark(1) },
		"idle":  func(s *saverHarness) { close(s.store.lost) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSaverHarness(t, time.Second, 1)
			fence(s)
			if err := <-s.done; !errors.Is(err, store.ErrFenced) {
				t.Errorf("got %v, want fenced", err)
			}
			s.stop()
		})
	}
}

func TestChange_Merge(t *testing.T) {
	t.Parallel()
	first := store.Change{
		Cursor: ptr.To("1"),
		Values: map[string][]byte{"a": value(1), "b": value(1), "c": nil},
	}
	later := store.Change{Cursor: ptr.To("3"), Values: map[string][]byte{"a": nil, "c": value(3)}}
	want := maps.Clone(later.Values)
	both := store.Change{}.Merge(first).Merge(later).Merge(store.Change{})
	assertEqual(t, both, store.Change{
		Cursor: ptr.To("3"),
		Values: map[string][]byte{"a": nil, "b": value(1), "c": value(3)},
	})
	assertEqual(t, later.Values, want)
	assertEqual(t, first.Values["a"], value(1))
}

func (s *saverHarness) wantAcked(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, func() error {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(s.store.acked))); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
}

// TestSaver_AckOrder: an ack is written after the earlier changes.
func TestSaver_AckOrder(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 4)
	s.saveWatermark(1)
	s.Ack("hook", "a")
	s.saveWatermark(2)
	s.Ack("hook", "b")
	s.wantAcked(t, "hook/a after 1", "hook/b after 1")
	s.stop()
	must(t, <-s.done)
}

// TestSaver_AckRetry: acks that fail are retried, also on shutdown, and written once.
func TestSaver_AckRetry(t *testing.T) {
	t.Parallel()
	s := newSaverHarness(t, time.Second, 300)
	s.store.fail(errors.New("broken"))
	var want []string
	for n := range 100 {
		s.Ack("hook", fmt.Sprintf("%03d", n))
		want = append(want, fmt.Sprintf("hook/%03d after 2", n)) // the second Save succeeds
	}
	s.wantTimers(t, 1)
	s.clock.Step(5 * time.Second)
	s.wantError(t)
	s.saveWatermark(1)
	s.wantTimers(t, 1)
	s.clock.Step(5 * time.Second)
	s.wantError(t)
	s.wantAcked(t)
	s.store.fail(nil)
	s.stop()
	must(t, <-s.done)
	s.wantAcked(t, want...)
}
