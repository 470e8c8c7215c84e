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
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// value returns a value like that of an object of the API server.
func value(n int) []byte { return fmt.Appendf(nil, "%016x%d", n*2654435761, 1000+n) }

func testCheckpoint(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Checkpoints().Load(ctx, "pods"))(t), store.Checkpoint{})
		must(t, s.Checkpoints().Save(ctx, "pods", store.Change{
			Cursor: ptr.To("7"),
			Values: map[string][]byte{"object/default/a": value(1), "object/default/b": value(2)},
		}))
	})
	e.withStore(t, func(s store.Store) {
		want := store.Checkpoint{
			Cursor: "7",
			Values: map[string][]byte{"object/default/a": value(1), "object/default/b": value(2)},
		}
		assertEqual(t, got(s.Checkpoints().Load(ctx, "pods"))(t), want)
		must(t, s.Checkpoints().Save(ctx, "pods", store.Change{Values: map[string][]byte{"object/default/a": nil, "object/default/gone": nil}}))
		delete(want.Values, "object/default/a")
		assertEqual(t, got(s.Checkpoints().Load(ctx, "pods"))(t), want)
		must(t, s.Checkpoints().Save(ctx, "pods", store.Change{Cursor: ptr.To("12")}))
	})
	e.withStore(t, func(s store.Store) {
		// Without an earlier Load.
		must(t, s.Checkpoints().Save(ctx, "pods", store.Change{Values: map[string][]byte{"object/default/c": value(3)}}))
		assertEqual(t, got(s.Checkpoints().Load(ctx, "pods"))(t), store.Checkpoint{
			Cursor: "12",
			Values: map[string][]byte{"object/default/b": value(2), "object/default/c": value(3)},
		})
	})
}

func testCheckpointPerName(t *testing.T, e env) {
	ctx := t.Context()
	long := strings.Repeat("v1/pods ", 200)
	e.withStore(t, func(s store.Store) {
		for i, watch := range []string{"pods", "pods/a", "", long} {
			must(t, s.Checkpoints().Save(ctx, watch, store.Change{
				Cursor: ptr.To(strconv.Itoa(i)),
				Values: map[string][]byte{"a/" + watch: value(i)},
			}))
		}
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Checkpoints().List(ctx))(t), []string{"", "pods", "pods/a", long})
		for i, watch := range []string{"pods", "pods/a", "", long} {
			assertEqual(t, got(s.Checkpoints().Load(ctx, watch))(t), store.Checkpoint{
				Cursor: strconv.Itoa(i),
				Values: map[string][]byte{"a/" + watch: value(i)},
			})
		}
	})
}

func testValuesLarge(t *testing.T, e env) {
	ctx := t.Context()
	const objects = 50_000
	all := map[string][]byte{}
	for i := range objects {
		all[fmt.Sprintf("object/namespace-%d/object-%d", i%100, i)] = value(i)
	}
	e.withStore(t, func(s store.Store) {
		must(t, s.Checkpoints().Save(ctx, "configmaps", store.Change{Cursor: ptr.To("100"), Values: all}))
		for i := range 50 {
			changed := value(1_000_000 + i)
			key := fmt.Sprintf("object/namespace-%d/object-%d", i%100, i)
			all[key] = changed
			must(t, s.Checkpoints().Save(ctx, "configmaps", store.Change{
				Cursor: ptr.To(strconv.Itoa(1_000_000 + i)), Values: map[string][]byte{key: changed},
			}))
		}
	})
	e.withStore(t, func(s store.Store) {
		loaded := got(s.Checkpoints().Load(ctx, "configmaps"))(t)
		if loaded.Cursor != "1000049" || len(loaded.Values) != objects {
			t.Fatalf("position %s with %d objects, want 1000049 with %d", loaded.Cursor, len(loaded.Values), objects)
		}
		for key, want := range all {
			if v := loaded.Values[key]; !bytes.Equal(v, want) {
				t.Fatalf("%s: got %x, want %x", key, v, want)
			}
		}
	})
}

func testValuesGrowth(t *testing.T, e env) {
	ctx := t.Context()
	want := map[string][]byte{}
	const rounds, added = 12, 3_000
	for round := range rounds {
		e.withStore(t, func(s store.Store) {
			c := store.Change{Cursor: ptr.To(strconv.Itoa(round)), Values: map[string][]byte{}}
			for i := round * added; i < (round+1)*added; i++ {
				key := "object/default/object-" + strconv.Itoa(i)
				c.Values[key], want[key] = value(i), value(i)
			}
			for i := (round - 1) * added; i < round*added-100; i++ {
				key := "object/default/object-" + strconv.Itoa(i)
				c.Values[key] = nil
				delete(want, key)
			}
			must(t, s.Checkpoints().Save(ctx, "pods", c))
			loaded := got(s.Checkpoints().Load(ctx, "pods"))(t)
			if loaded.Cursor != strconv.Itoa(round) || !maps.EqualFunc(loaded.Values, want, bytes.Equal) {
				t.Fatalf("round %d: position %q with %d objects, want %d; or their entries differ", round, loaded.Cursor, len(loaded.Values), len(want))
			}
		})
	}
}

func testValueNames(t *testing.T, e env) {
	ctx := t.Context()
	want := map[string][]byte{
		"":                      {},
		"a":                     {0, 1, 255},
		"ä/\x00":                []byte("007"),
		"object/default/number": make([]byte, 1024),
		"object/default/large":  bytes.Repeat([]byte("large"), store.MaxValue/5),
		"object/default/limit":  make([]byte, store.MaxValue),
	}
	e.withStore(t, func(s store.Store) {
		for name, v := range want {
			must(t, s.Checkpoints().Save(ctx, "odd", store.Change{Values: map[string][]byte{name: v}}))
		}
	})
	e.withStore(t, func(s store.Store) {
		loaded := got(s.Checkpoints().Load(ctx, "odd"))(t).Values
		assertEqual(t, loaded, want)
		if v, ok := loaded[""]; !ok || v == nil {
			t.Error("the empty value was deleted")
		}
	})
}

func testValueTooLarge(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		large := make([]byte, store.MaxValue+1)
		err := s.Checkpoints().Save(ctx, "w", store.Change{Cursor: ptr.To("1"), Values: map[string][]byte{"a": large}})
		if !errors.Is(err, store.ErrRejected) || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("got %v, want rejected, with the name of the value", err)
		}
		assertEqual(t, got(s.Checkpoints().Load(ctx, "w"))(t), store.Checkpoint{})
	})
}

// testLargeValues fills a checkpoint with values of the maximum size.
func testLargeValues(t *testing.T, e env) {
	ctx := t.Context()
	want := map[string][]byte{}
	e.withStore(t, func(s store.Store) {
		for i := range 40 {
			name := "view/" + strconv.Itoa(i)
			want[name] = bytes.Repeat(value(i), store.MaxValue/32)
			must(t, s.Checkpoints().Save(ctx, "views", store.Change{Cursor: ptr.To(name), Values: map[string][]byte{name: want[name]}}))
		}
		for i := range 10 {
			delete(want, "view/"+strconv.Itoa(i))
			must(t, s.Checkpoints().Save(ctx, "views", store.Change{Values: map[string][]byte{"view/" + strconv.Itoa(i): nil}}))
		}
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Checkpoints().Load(ctx, "views"))(t), store.Checkpoint{Cursor: "view/39", Values: want})
	})
}

func testPrune(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		for i, name := range []string{"webhook:a", "webhook:b", "cronjob:c", "webhook:b 2"} {
			must(t, s.Checkpoints().Save(ctx, name, store.Change{Cursor: ptr.To("1")}))
			must(t, s.Queue().Enqueue(ctx, newEvent(name, i)))
		}
		must(t, store.Prune(ctx, s, func(name string) bool { return name == "webhook:a" || name == "cronjob:c" }))
		assertEqual(t, got(s.Checkpoints().List(ctx))(t), []string{"cronjob:c", "webhook:a"})
		for name, want := range map[string]int{"webhook:a": 1, "webhook:b": 0, "cronjob:c": 1, "webhook:b 2": 0} {
			assertEqual(t, len(queued(t, s, name)), want)
		}
	})
}

func testDelete(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		many := map[string][]byte{}
		for i := range 10_000 {
			many["object/default/object-"+strconv.Itoa(i)] = value(i)
		}
		must(t, s.Checkpoints().Save(ctx, "old", store.Change{Cursor: ptr.To("5"), Values: many}))
		must(t, s.Checkpoints().Save(ctx, "kept", store.Change{Cursor: ptr.To("6")}))
		must(t, s.Checkpoints().Delete(ctx, "old"))
		must(t, s.Checkpoints().Delete(ctx, "old"))
		must(t, s.Checkpoints().Delete(ctx, "unknown"))
		assertEqual(t, got(s.Checkpoints().Load(ctx, "old"))(t), store.Checkpoint{})
		must(t, s.Checkpoints().Save(ctx, "old", store.Change{Values: map[string][]byte{"a": value(1)}}))
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, got(s.Checkpoints().List(ctx))(t), []string{"kept", "old"})
		assertEqual(t, got(s.Checkpoints().Load(ctx, "old"))(t), store.Checkpoint{Values: map[string][]byte{"a": value(1)}})
		assertEqual(t, got(s.Checkpoints().Load(ctx, "kept"))(t).Cursor, "6")
	})
}
