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
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/store"
)

func uid(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761%(1<<32), n) }

func entry(n int) *store.Entry {
	return &store.Entry{UID: uid(n), ResourceVersion: strconv.Itoa(1000 + n)}
}

func resumePointsSurvive(t *testing.T, p place) {
	ctx := t.Context()
	p.with(t, func(s store.Store) {
		same(t, got(s.Load(ctx, "pods"))(t), store.Resume{})
		must(t, s.Save(ctx, "pods", store.Change{
			Mark:      &store.Mark{Position: "7"},
			Triggers:  []string{"b", "a"},
			Inventory: map[string]*store.Entry{"default/a": entry(1), "default/b": entry(2)},
		}))
	})
	p.with(t, func(s store.Store) {
		want := store.Resume{
			Mark:      store.Mark{Position: "7"},
			Triggers:  []string{"a", "b"},
			Inventory: map[string]store.Entry{"default/a": *entry(1), "default/b": *entry(2)},
		}
		same(t, got(s.Load(ctx, "pods"))(t), want)
		must(t, s.Save(ctx, "pods", store.Change{Inventory: map[string]*store.Entry{"default/a": nil, "default/gone": nil}}))
		delete(want.Inventory, "default/a")
		same(t, got(s.Load(ctx, "pods"))(t), want)
		must(t, s.Save(ctx, "pods", store.Change{Mark: &store.Mark{Position: "12"}, Triggers: []string{}}))
	})
	p.with(t, func(s store.Store) {
		// Without Load before.
		must(t, s.Save(ctx, "pods", store.Change{Inventory: map[string]*store.Entry{"default/c": entry(3)}}))
		same(t, got(s.Load(ctx, "pods"))(t), store.Resume{
			Mark:      store.Mark{Position: "12"},
			Inventory: map[string]store.Entry{"default/b": *entry(2), "default/c": *entry(3)},
		})
	})
}

func watchesAreApart(t *testing.T, p place) {
	ctx := t.Context()
	long := strings.Repeat("v1/pods ", 200)
	p.with(t, func(s store.Store) {
		for i, watch := range []string{"pods", "pods/a", "", long} {
			must(t, s.Save(ctx, watch, store.Change{
				Mark:      &store.Mark{Position: strconv.Itoa(i)},
				Inventory: map[string]*store.Entry{"a/" + watch: entry(i)},
			}))
		}
	})
	p.with(t, func(s store.Store) {
		same(t, got(s.Watches(ctx))(t), []string{"", "pods", "pods/a", long})
		for i, watch := range []string{"pods", "pods/a", "", long} {
			same(t, got(s.Load(ctx, watch))(t), store.Resume{
				Mark:      store.Mark{Position: strconv.Itoa(i)},
				Inventory: map[string]store.Entry{"a/" + watch: *entry(i)},
			})
		}
	})
}

func largeInventorySurvives(t *testing.T, p place) {
	ctx := t.Context()
	const objects = 50_000
	all := map[string]*store.Entry{}
	for i := range objects {
		all[fmt.Sprintf("namespace-%d/object-%d", i%100, i)] = entry(i)
	}
	p.with(t, func(s store.Store) {
		must(t, s.Save(ctx, "configmaps", store.Change{Mark: &store.Mark{Position: "100"}, Inventory: all}))
		for i := range 50 {
			changed := entry(i)
			changed.ResourceVersion = strconv.Itoa(1_000_000 + i)
			key := fmt.Sprintf("namespace-%d/object-%d", i%100, i)
			all[key] = changed
			must(t, s.Save(ctx, "configmaps", store.Change{
				Mark: &store.Mark{Position: changed.ResourceVersion}, Inventory: map[string]*store.Entry{key: changed},
			}))
		}
	})
	p.with(t, func(s store.Store) {
		r := got(s.Load(ctx, "configmaps"))(t)
		if r.Position != "1000049" || len(r.Inventory) != objects {
			t.Fatalf("at %s with %d objects, want 1000049 with %d", r.Position, len(r.Inventory), objects)
		}
		for key, want := range all {
			if e := r.Inventory[key]; e.UID != want.UID || e.ResourceVersion != want.ResourceVersion {
				t.Fatalf("%s: got %v, want %v", key, e, *want)
			}
		}
	})
}

func inventoryGrowsAndShrinks(t *testing.T, p place) {
	ctx := t.Context()
	want := map[string]store.Entry{}
	const rounds, added = 12, 3_000
	for round := range rounds {
		p.with(t, func(s store.Store) {
			c := store.Change{Mark: &store.Mark{Position: strconv.Itoa(round)}, Inventory: map[string]*store.Entry{}}
			for i := round * added; i < (round+1)*added; i++ {
				key := "default/object-" + strconv.Itoa(i)
				c.Inventory[key], want[key] = entry(i), *entry(i)
			}
			for i := (round - 1) * added; i < round*added-100; i++ {
				key := "default/object-" + strconv.Itoa(i)
				c.Inventory[key] = nil
				delete(want, key)
			}
			must(t, s.Save(ctx, "pods", c))
			r := got(s.Load(ctx, "pods"))(t)
			if r.Position != strconv.Itoa(round) || !maps.EqualFunc(r.Inventory, want, sameEntry) {
				t.Fatalf("round %d: at %q with %d objects, want %d, or others", round, r.Position, len(r.Inventory), len(want))
			}
		})
	}
}

func sameEntry(a, b store.Entry) bool {
	return a.UID == b.UID && a.ResourceVersion == b.ResourceVersion && string(a.Seen) == string(b.Seen)
}

func oddEntriesSurvive(t *testing.T, p place) {
	ctx := t.Context()
	want := map[string]store.Entry{
		"":               {},
		"a":              {UID: "not a uuid", ResourceVersion: "opaque", Seen: []byte{0, 1, 255}},
		"ä/\x00":         {UID: strings.ToUpper(uid(77)), ResourceVersion: "007"},
		"default/number": {UID: uid(1), ResourceVersion: "18446744073709551615", Seen: make([]byte, store.MaxSeen)},
		"default/large":  {UID: uid(1), ResourceVersion: "18446744073709551616"},
	}
	p.with(t, func(s store.Store) {
		for key, e := range want {
			must(t, s.Save(ctx, "odd", store.Change{Inventory: map[string]*store.Entry{key: &e}}))
		}
	})
	p.with(t, func(s store.Store) { same(t, got(s.Load(ctx, "odd"))(t).Inventory, want) })
}

func tooMuchIsRefused(t *testing.T, p place) {
	ctx := t.Context()
	p.with(t, func(s store.Store) {
		large := store.Entry{Seen: make([]byte, store.MaxSeen+1)}
		err := s.Save(ctx, "w", store.Change{Mark: &store.Mark{Position: "1"}, Inventory: map[string]*store.Entry{"a": &large}})
		if !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("got %v, want a refusal that names the entry", err)
		}
		same(t, got(s.Load(ctx, "w"))(t), store.Resume{})
	})
}

func forgottenIsGone(t *testing.T, p place) {
	ctx := t.Context()
	p.with(t, func(s store.Store) {
		many := map[string]*store.Entry{}
		for i := range 10_000 {
			many["default/object-"+strconv.Itoa(i)] = entry(i)
		}
		must(t, s.Save(ctx, "old", store.Change{Mark: &store.Mark{Position: "5"}, Inventory: many}))
		must(t, s.Save(ctx, "kept", store.Change{Mark: &store.Mark{Position: "6"}}))
		must(t, s.Forget(ctx, "old"))
		must(t, s.Forget(ctx, "old"))
		must(t, s.Forget(ctx, "never there"))
		same(t, got(s.Load(ctx, "old"))(t), store.Resume{})
		must(t, s.Save(ctx, "old", store.Change{Inventory: map[string]*store.Entry{"a": entry(1)}}))
	})
	p.with(t, func(s store.Store) {
		same(t, got(s.Watches(ctx))(t), []string{"kept", "old"})
		same(t, got(s.Load(ctx, "old"))(t), store.Resume{Inventory: map[string]store.Entry{"a": *entry(1)}})
		same(t, got(s.Load(ctx, "kept"))(t).Position, "6")
	})
}
