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

func testCheckpoint(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Load(ctx, "pods"))(t), store.Checkpoint{})
		must(t, s.Save(ctx, "pods", store.Change{
			Watermark: &store.Watermark{Position: "7"},
			Triggers:  []string{"b", "a"},
			Inventory: map[string]*store.Entry{"default/a": entry(1), "default/b": entry(2)},
		}))
	})
	e.withStore(t, func(s store.Store) {
		want := store.Checkpoint{
			Watermark: store.Watermark{Position: "7"},
			Triggers:  []string{"a", "b"},
			Inventory: map[string]store.Entry{"default/a": *entry(1), "default/b": *entry(2)},
		}
		assertEqual(t, got(s.Load(ctx, "pods"))(t), want)
		must(t, s.Save(ctx, "pods", store.Change{Inventory: map[string]*store.Entry{"default/a": nil, "default/gone": nil}}))
		delete(want.Inventory, "default/a")
		assertEqual(t, got(s.Load(ctx, "pods"))(t), want)
		must(t, s.Save(ctx, "pods", store.Change{Watermark: &store.Watermark{Position: "12"}, Triggers: []string{}}))
	})
	e.withStore(t, func(s store.Store) {
		// Without an earlier Load.
		must(t, s.Save(ctx, "pods", store.Change{Inventory: map[string]*store.Entry{"default/c": entry(3)}}))
		assertEqual(t, got(s.Load(ctx, "pods"))(t), store.Checkpoint{
			Watermark: store.Watermark{Position: "12"},
			Inventory: map[string]store.Entry{"default/b": *entry(2), "default/c": *entry(3)},
		})
	})
}

func testCheckpointPerWatch(t *testing.T, e env) {
	ctx := t.Context()
	long := strings.Repeat("v1/pods ", 200)
	e.withStore(t, func(s store.Store) {
		for i, watch := range []string{"pods", "pods/a", "", long} {
			must(t, s.Save(ctx, watch, store.Change{
				Watermark: &store.Watermark{Position: strconv.Itoa(i)},
				Inventory: map[string]*store.Entry{"a/" + watch: entry(i)},
			}))
		}
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Watches(ctx))(t), []string{"", "pods", "pods/a", long})
		for i, watch := range []string{"pods", "pods/a", "", long} {
			assertEqual(t, got(s.Load(ctx, watch))(t), store.Checkpoint{
				Watermark: store.Watermark{Position: strconv.Itoa(i)},
				Inventory: map[string]store.Entry{"a/" + watch: *entry(i)},
			})
		}
	})
}

func testInventoryLarge(t *testing.T, e env) {
	ctx := t.Context()
	const objects = 50_000
	all := map[string]*store.Entry{}
	for i := range objects {
		all[fmt.Sprintf("namespace-%d/object-%d", i%100, i)] = entry(i)
	}
	e.withStore(t, func(s store.Store) {
		must(t, s.Save(ctx, "configmaps", store.Change{Watermark: &store.Watermark{Position: "100"}, Inventory: all}))
		for i := range 50 {
			changed := entry(i)
			changed.ResourceVersion = strconv.Itoa(1_000_000 + i)
			key := fmt.Sprintf("namespace-%d/object-%d", i%100, i)
			all[key] = changed
			must(t, s.Save(ctx, "configmaps", store.Change{
				Watermark: &store.Watermark{Position: changed.ResourceVersion}, Inventory: map[string]*store.Entry{key: changed},
			}))
		}
	})
	e.withStore(t, func(s store.Store) {
		loaded := got(s.Load(ctx, "configmaps"))(t)
		if loaded.Position != "1000049" || len(loaded.Inventory) != objects {
			t.Fatalf("position %s with %d objects, want 1000049 with %d", loaded.Position, len(loaded.Inventory), objects)
		}
		for key, want := range all {
			if e := loaded.Inventory[key]; e.UID != want.UID || e.ResourceVersion != want.ResourceVersion {
				t.Fatalf("%s: got %v, want %v", key, e, *want)
			}
		}
	})
}

func testInventoryGrowth(t *testing.T, e env) {
	ctx := t.Context()
	want := map[string]store.Entry{}
	const rounds, added = 12, 3_000
	for round := range rounds {
		e.withStore(t, func(s store.Store) {
			c := store.Change{Watermark: &store.Watermark{Position: strconv.Itoa(round)}, Inventory: map[string]*store.Entry{}}
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
			loaded := got(s.Load(ctx, "pods"))(t)
			if loaded.Position != strconv.Itoa(round) || !maps.EqualFunc(loaded.Inventory, want, equalEntry) {
				t.Fatalf("round %d: position %q with %d objects, want %d; or their entries differ", round, loaded.Position, len(loaded.Inventory), len(want))
			}
		})
	}
}

func equalEntry(a, b store.Entry) bool {
	return a.UID == b.UID && a.ResourceVersion == b.ResourceVersion && string(a.State) == string(b.State)
}

func testEntryEncoding(t *testing.T, e env) {
	ctx := t.Context()
	want := map[string]store.Entry{
		"":               {},
		"a":              {UID: "not a uuid", ResourceVersion: "opaque", State: []byte{0, 1, 255}},
		"ä/\x00":         {UID: strings.ToUpper(uid(77)), ResourceVersion: "007"},
		"default/number": {UID: uid(1), ResourceVersion: "18446744073709551615", State: make([]byte, store.MaxState)},
		"default/large":  {UID: uid(1), ResourceVersion: "18446744073709551616"},
	}
	e.withStore(t, func(s store.Store) {
		for key, e := range want {
			must(t, s.Save(ctx, "odd", store.Change{Inventory: map[string]*store.Entry{key: &e}}))
		}
	})
	e.withStore(t, func(s store.Store) { assertEqual(t, got(s.Load(ctx, "odd"))(t).Inventory, want) })
}

func testEntryTooLarge(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		large := store.Entry{State: make([]byte, store.MaxState+1)}
		err := s.Save(ctx, "w", store.Change{Watermark: &store.Watermark{Position: "1"}, Inventory: map[string]*store.Entry{"a": &large}})
		if !errors.Is(err, store.ErrRejected) || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("got %v, want rejected, with the key of the entry", err)
		}
		assertEqual(t, got(s.Load(ctx, "w"))(t), store.Checkpoint{})
	})
}

func testDelete(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		many := map[string]*store.Entry{}
		for i := range 10_000 {
			many["default/object-"+strconv.Itoa(i)] = entry(i)
		}
		must(t, s.Save(ctx, "old", store.Change{Watermark: &store.Watermark{Position: "5"}, Inventory: many}))
		must(t, s.Save(ctx, "kept", store.Change{Watermark: &store.Watermark{Position: "6"}}))
		must(t, s.Delete(ctx, "old"))
		must(t, s.Delete(ctx, "old"))
		must(t, s.Delete(ctx, "unknown"))
		assertEqual(t, got(s.Load(ctx, "old"))(t), store.Checkpoint{})
		must(t, s.Save(ctx, "old", store.Change{Inventory: map[string]*store.Entry{"a": entry(1)}}))
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Watches(ctx))(t), []string{"kept", "old"})
		assertEqual(t, got(s.Load(ctx, "old"))(t), store.Checkpoint{Inventory: map[string]store.Entry{"a": *entry(1)}})
		assertEqual(t, got(s.Load(ctx, "kept"))(t).Position, "6")
	})
}
