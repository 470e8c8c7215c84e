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
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	testclock "k8s.io/utils/clock/testing"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// env is a place in which a store is kept.
type env struct {
	// open opens the store.
	open func(t *testing.T, o options) store.Store
	// dump returns all stored bytes that a reader has access to.
	dump func(t *testing.T) []byte
}

type options struct {
	limits store.Limits
	clock  *testclock.FakeClock
}

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// conformanceTests test the guarantees of store.Store.
var conformanceTests = map[string]func(t *testing.T, e env){
	"checkpoint":            testCheckpoint,
	"checkpoint-per-name":   testCheckpointPerName,
	"values-large":          testValuesLarge,
	"values-growth":         testValuesGrowth,
	"value-names":           testValueNames,
	"value-too-large":       testValueTooLarge,
	"large-values":          testLargeValues,
	"progress":              testProgress,
	"progress-limit":        testProgressLimit,
	"prune":                 testPrune,
	"delete":                testDelete,
	"dead-letter":           testDeadLetter,
	"dead-letter-replace":   testDeadLetterReplace,
	"dead-letter-limit":     testDeadLetterLimit,
	"dead-letter-age":       testDeadLetterAge,
	"dead-letter-too-large": testDeadLetterTooLarge,
	"replay":                testReplay,
	"secrets":               testSecrets,
	"queue-order":           testQueueOrder,
	"queue-limit":           testQueueLimit,
	"event-fields":          testEventFields,
	"concurrency":           testConcurrency,
	"canceled":              testCanceled,
	"saver":                 testSaver,
}

func conformance(t *testing.T, newEnv func(t *testing.T) env) {
	for _, name := range slices.Sorted(maps.Keys(conformanceTests)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformanceTests[name](t, newEnv(t))
		})
	}
}

func (e env) withStore(t *testing.T, f func(s store.Store)) { e.withOptions(t, options{}, f) }

// withOptions opens the store, calls f and closes the store.
func (e env) withOptions(t *testing.T, o options, f func(s store.Store)) {
	t.Helper()
	if o.clock == nil {
		o.clock = testclock.NewFakeClock(noon())
	}
	s := e.open(t, o)
	f(s)
	must(t, s.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func got[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func assertEqual[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func testConcurrency(t *testing.T, e env) {
	ctx := t.Context()
	const workers, rounds = 8, 12
	e.withStore(t, func(s store.Store) {
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := range rounds {
					n := w*rounds + i
					ev := newEvent("webhook", n)
					errs := []error{
						s.Checkpoints().Save(ctx, "shared", store.Change{Values: map[string][]byte{strconv.Itoa(n): value(n)}}),
						s.Checkpoints().Save(ctx, strconv.Itoa(w), store.Change{Cursor: ptr.To(strconv.Itoa(i))}),
						s.Queue().Enqueue(ctx, ev),
						errOf(s.DeadLetters().Put(ctx, newDeadLetter(n))),
						errOf(s.Checkpoints().Load(ctx, "shared")), errOf(s.DeadLetters().List(ctx)),
					}
					if i%2 == 0 {
						errs = append(errs, s.Queue().Ack(ctx, ev.Source, ev.ID))
					}
					if err := errors.Join(errs...); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, len(got(s.Checkpoints().Load(ctx, "shared"))(t).Values), workers*rounds)
		assertEqual(t, len(got(s.DeadLetters().List(ctx))(t).Items), workers*rounds)
		assertEqual(t, len(queued(t, s, "webhook")), workers*rounds/2)
		for w := range workers {
			assertEqual(t, got(s.Checkpoints().Load(ctx, strconv.Itoa(w)))(t).Cursor, strconv.Itoa(rounds-1))
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func testCanceled(t *testing.T, e env) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.withStore(t, func(s store.Store) {
		for name, err := range map[string]error{
			"load":    errOf(s.Checkpoints().Load(ctx, "w")),
			"save":    s.Checkpoints().Save(ctx, "w", store.Change{Cursor: ptr.To("1")}),
			"enqueue": s.Queue().Enqueue(ctx, newEvent("webhook", 1)),
			"put":     errOf(s.DeadLetters().Put(ctx, newDeadLetter(1))),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want canceled", name, err)
			}
		}
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Checkpoints().Load(t.Context(), "w"))(t), store.Checkpoint{})
		assertEqual(t, got(s.DeadLetters().List(t.Context()))(t), store.DeadLetterList{})
		assertEqual(t, queued(t, s, "webhook"), nil)
	})
}

func testSaver(t *testing.T, e env) {
	const changes = 500
	e.withStore(t, func(s store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		saver := store.NewBatchSaver(s, store.BatchSaverOptions{
			MaxDelay: time.Hour, BatchSize: 100, GracePeriod: time.Minute,
			Clock: testclock.NewFakeClock(noon()), OnError: func(err error) { t.Error(err) },
		})
		done := make(chan error)
		go func() { done <- saver.Run(ctx) }()
		for i := range changes {
			saver.Save("w", store.Change{Cursor: ptr.To(strconv.Itoa(i)), Values: map[string][]byte{strconv.Itoa(i): value(i)}})
		}
		cancel()
		must(t, <-done)
	})
	e.withStore(t, func(s store.Store) {
		c := got(s.Checkpoints().Load(t.Context(), "w"))(t)
		if c.Cursor != strconv.Itoa(changes-1) || len(c.Values) != changes {
			t.Errorf("position %s with %d objects, want all %d", c.Cursor, len(c.Values), changes)
		}
	})
}

func newEvent(source string, n int) event.Event {
	return event.Event{
		Source: source, Type: "post", ID: fmt.Sprintf("id-%d", n), Key: "a", Time: noon().Add(time.Duration(n) * time.Second),
		Data: map[string]any{
			"body":  map[string]any{"n": int64(n), "ratio": 0.5, "text": "<ä&\u2028>", "list": []any{nil, true, int64(1) << 53}},
			"empty": map[string]any{},
		},
	}
}
