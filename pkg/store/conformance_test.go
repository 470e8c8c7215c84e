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

// place is where a store is kept.
type place struct {
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

// promises are what every store keeps.
var promises = map[string]func(t *testing.T, p place){
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

func conformance(t *testing.T, newPlace func(t *testing.T) place) {
	for _, name := range slices.Sorted(maps.Keys(promises)) {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			promises[name](t, newPlace(t))
		})
	}
}

func (p place) with(t *testing.T, use func(s store.Store)) { p.limited(t, options{}, use) }

// limited opens the store for use and closes it.
func (p place) limited(t *testing.T, o options, use func(s store.Store)) {
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

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func callsRunAtOnce(t *testing.T, p place) {
	ctx := t.Context()
	const workers, rounds = 8, 12
	p.with(t, func(s store.Store) {
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := range rounds {
					n := w*rounds + i
					ev := happening("webhook", n)
					errs := []error{
						s.Save(ctx, "shared", store.Change{Inventory: map[string]*store.Entry{strconv.Itoa(n): entry(n)}}),
						s.Save(ctx, strconv.Itoa(w), store.Change{Mark: &store.Mark{Position: strconv.Itoa(i)}}),
						s.Accept(ctx, ev),
						second(s.Bury(ctx, failure(n))),
						s.Record(ctx, store.Run{EventID: ev.ID}),
						second(s.Load(ctx, "shared")), second(s.Buried(ctx)), second(s.Runs(ctx)),
					}
					if i%2 == 0 {
						errs = append(errs, s.Release(ctx, ev.Source, ev.ID))
					}
					if err := errors.Join(errs...); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
	p.with(t, func(s store.Store) {
		same(t, len(got(s.Load(ctx, "shared"))(t).Inventory), workers*rounds)
		same(t, len(got(s.Buried(ctx))(t).Letters), workers*rounds)
		same(t, len(got(s.Runs(ctx))(t)), workers*rounds)
		same(t, len(spooled(t, s, "webhook")), workers*rounds/2)
		for w := range workers {
			same(t, got(s.Load(ctx, strconv.Itoa(w)))(t).Position, strconv.Itoa(rounds-1))
		}
	})
}

func second[T any](_ T, err error) error { return err }

func endedContextWritesNothing(t *testing.T, p place) {
	ended, end := context.WithCancel(t.Context())
	end()
	p.with(t, func(s store.Store) {
		for name, err := range map[string]error{
			"load":   second(s.Load(ended, "w")),
			"save":   s.Save(ended, "w", store.Change{Mark: &store.Mark{Position: "1"}}),
			"accept": s.Accept(ended, happening("webhook", 1)),
			"bury":   second(s.Bury(ended, failure(1))),
			"record": s.Record(ended, store.Run{}),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want that the context is canceled", name, err)
			}
		}
	})
	p.with(t, func(s store.Store) {
		same(t, got(s.Load(t.Context(), "w"))(t), store.Resume{})
		same(t, got(s.Buried(t.Context()))(t), store.Buried{})
		same(t, spooled(t, s, "webhook"), nil)
		same(t, got(s.Runs(t.Context()))(t), nil)
	})
}

func saverLeavesEverything(t *testing.T, p place) {
	const changes = 500
	p.with(t, func(s store.Store) {
		ctx, end := context.WithCancel(t.Context())
		saver := store.NewSaver(s, store.SaverOptions{
			Every: time.Hour, Changes: 100, Grace: time.Minute,
			Clock: testclock.NewFakeClock(noon()), OnError: func(err error) { t.Error(err) },
		})
		ended := make(chan error)
		go func() { ended <- saver.Run(ctx) }()
		for i := range changes {
			saver.Save("w", store.Change{Mark: &store.Mark{Position: strconv.Itoa(i)}, Inventory: map[string]*store.Entry{strconv.Itoa(i): entry(i)}})
			saver.Record(store.Run{Attempts: i})
		}
		end()
		must(t, <-ended)
	})
	p.limited(t, options{limits: store.Limits{Runs: 1000}}, func(s store.Store) {
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

func happening(source string, n int) event.Event {
	return event.Event{
		Source: source, Type: "post", ID: fmt.Sprintf("id-%d", n), Key: "a", Time: noon().Add(time.Duration(n) * time.Second),
		Data: map[string]any{
			"body":  map[string]any{"n": int64(n), "ratio": 0.5, "text": "<ä&\u2028>", "list": []any{nil, true, int64(1) << 53}},
			"empty": map[string]any{},
		},
	}
}
