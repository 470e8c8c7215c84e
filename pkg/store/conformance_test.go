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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// env is where a store is kept.
type env struct {
	// open opens what is stored there.
	open func(t *testing.T, o options) store.Store
	// dump returns all that is stored there, as far as anyone can read it.
	dump func(t *testing.T) []byte
}

type options struct {
	limits store.Limits
	clock  *testclock.FakeClock
}

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// conformanceTests are what every store keeps.
var conformanceTests = map[string]func(t *testing.T, p env){
	"resume points survive":               resumePointsSurvive,
	"watches are apart":                   watchesAreApart,
	"a large inventory survives":          largeInventorySurvives,
	"an inventory grows and shrinks":      inventoryGrowsAndShrinks,
	"odd entries survive":                 oddEntriesSurvive,
	"too much is refused":                 tooMuchIsRefused,
	"forgotten is gone":                   forgottenIsGone,
	"letters survive":                     lettersSurvive,
	"a letter is buried once":             letterIsBuriedOnce,
	"letters are bounded in number":       lettersAreBoundedInNumber,
	"letters are bounded in age":          lettersAreBoundedInAge,
	"replays are asked for":               replaysAreAskedFor,
	"a large letter keeps its name":       largeLetterKeepsItsName,
	"no data of secrets":                  noDataOfSecrets,
	"the spool keeps order":               spoolKeepsOrder,
	"whole events survive":                wholeEventsSurvive,
	"the spool is bounded":                spoolIsBounded,
	"the history is bounded":              historyIsBounded,
	"calls run at once":                   callsRunAtOnce,
	"an ended context writes nothing":     endedContextWritesNothing,
	"a saver leaves everything in itself": saverLeavesEverything,
}

func conformance(t *testing.T, newEnv func(t *testing.T) env) {
	for _, name := range slices.Sorted(maps.Keys(conformanceTests)) {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			conformanceTests[name](t, newEnv(t))
		})
	}
}

func (p env) withStore(t *testing.T, use func(s store.Store)) { p.withOptions(t, options{}, use) }

// withOptions opens the store for use and closes it.
func (p env) withOptions(t *testing.T, o options, use func(s store.Store)) {
	t.Helper()
	if o.clock == nil {
		o.clock = testclock.NewFakeClock(noon())
	}
	s := p.open(t, o)
	use(s)
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

func callsRunAtOnce(t *testing.T, p env) {
	ctx := t.Context()
	const workers, rounds = 8, 12
	p.withStore(t, func(s store.Store) {
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := range rounds {
					n := w*rounds + i
					ev := newEvent("webhook", n)
					errs := []error{
						s.Save(ctx, "shared", store.Change{Inventory: map[string]*store.Entry{strconv.Itoa(n): entry(n)}}),
						s.Save(ctx, strconv.Itoa(w), store.Change{Watermark: &store.Watermark{Position: strconv.Itoa(i)}}),
						s.Enqueue(ctx, ev),
						errOf(s.PutDeadLetter(ctx, newDeadLetter(n))),
						s.Record(ctx, store.Run{EventID: ev.ID}),
						errOf(s.Load(ctx, "shared")), errOf(s.ListDeadLetters(ctx)), errOf(s.Runs(ctx)),
					}
					if i%2 == 0 {
						errs = append(errs, s.Ack(ctx, ev.Source, ev.ID))
					}
					if err := errors.Join(errs...); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
	p.withStore(t, func(s store.Store) {
		assertEqual(t, len(got(s.Load(ctx, "shared"))(t).Inventory), workers*rounds)
		assertEqual(t, len(got(s.ListDeadLetters(ctx))(t).Items), workers*rounds)
		assertEqual(t, len(got(s.Runs(ctx))(t)), workers*rounds)
		assertEqual(t, len(queued(t, s, "webhook")), workers*rounds/2)
		for w := range workers {
			assertEqual(t, got(s.Load(ctx, strconv.Itoa(w)))(t).Position, strconv.Itoa(rounds-1))
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func endedContextWritesNothing(t *testing.T, p env) {
	ended, end := context.WithCancel(t.Context())
	end()
	p.withStore(t, func(s store.Store) {
		for name, err := range map[string]error{
			"load":   errOf(s.Load(ended, "w")),
			"save":   s.Save(ended, "w", store.Change{Watermark: &store.Watermark{Position: "1"}}),
			"accept": s.Enqueue(ended, newEvent("webhook", 1)),
			"bury":   errOf(s.PutDeadLetter(ended, newDeadLetter(1))),
			"record": s.Record(ended, store.Run{}),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want that the context is canceled", name, err)
			}
		}
	})
	p.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Load(t.Context(), "w"))(t), store.Checkpoint{})
		assertEqual(t, got(s.ListDeadLetters(t.Context()))(t), store.DeadLetterList{})
		assertEqual(t, queued(t, s, "webhook"), nil)
		assertEqual(t, got(s.Runs(t.Context()))(t), nil)
	})
}

func saverLeavesEverything(t *testing.T, p env) {
	const changes = 500
	p.withStore(t, func(s store.Store) {
		ctx, end := context.WithCancel(t.Context())
		saver := store.NewSaver(s, store.SaverOptions{
			MaxDelay: time.Hour, BatchSize: 100, GracePeriod: time.Minute,
			Clock: testclock.NewFakeClock(noon()), OnError: func(err error) { t.Error(err) },
		})
		ended := make(chan error)
		go func() { ended <- saver.Run(ctx) }()
		for i := range changes {
			saver.Save("w", store.Change{Watermark: &store.Watermark{Position: strconv.Itoa(i)}, Inventory: map[string]*store.Entry{strconv.Itoa(i): entry(i)}})
			saver.Record(store.Run{Attempts: i})
		}
		end()
		must(t, <-ended)
	})
	p.withOptions(t, options{limits: store.Limits{Runs: 1000}}, func(s store.Store) {
		r := got(s.Load(t.Context(), "w"))(t)
		if r.Position != strconv.Itoa(changes-1) || len(r.Inventory) != changes {
			t.Errorf("at %s with %d objects, want all %d", r.Position, len(r.Inventory), changes)
		}
		runs := got(s.Runs(t.Context()))(t)
		if len(runs) == 0 || runs[len(runs)-1].Attempts != changes-1 {
			t.Errorf("%d runs, the last is not the last", len(runs))
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
