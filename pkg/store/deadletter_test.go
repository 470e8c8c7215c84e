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
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

func newDeadLetter(n int) store.DeadLetter {
	ev := newEvent("resource-watcher", n)
	ev.Old = map[string]any{"before": int64(n)}
	ev.Cluster = "prod"
	ev.Batch = event.NewBatch(newEvent("resource-watcher", n+1))
	ev.Batch.More = 3
	return store.DeadLetter{
		Trigger: event.TriggerRef{Name: "notify", Namespace: "default"},
		Event:   ev, Reason: "RetriesExhausted", Error: fmt.Sprintf("attempt %d failed", n),
		Attempts: 6, FirstAttempt: noon().Add(-time.Minute), LastAttempt: noon(),
	}
}

func testDeadLetter(t *testing.T, e env) {
	ctx := t.Context()
	var ids []string
	var want []store.DeadLetter
	clock := testclock.NewFakeClock(noon())
	e.withOptions(t, options{clock: clock}, func(s store.Store) {
		for n := range 3 {
			l := newDeadLetter(n)
			ids = append(ids, got(s.DeadLetters().Put(ctx, l))(t))
			l.ID, l.StoredAt = ids[n], clock.Now()
			want = append(want, l)
			clock.Step(time.Second)
		}
	})
	e.withOptions(t, options{clock: clock}, func(s store.Store) {
		for n, id := range ids {
			assertEqual(t, got(s.DeadLetters().Get(ctx, id))(t), want[n])
		}
		list := slices.Clone(want)
		for n := range list {
			list[n].Event.Data, list[n].Event.Old = nil, nil
		}
		assertEqual(t, got(s.DeadLetters().List(ctx))(t), store.DeadLetterList{Items: list})

		must(t, s.DeadLetters().Delete(ctx, ids[1]))
		assertEqual(t, got(s.DeadLetters().List(ctx))(t), store.DeadLetterList{Items: []store.DeadLetter{list[0], list[2]}})
		for name, err := range map[string]error{
			"delete again":    s.DeadLetters().Delete(ctx, ids[1]),
			"delete empty ID": s.DeadLetters().Delete(ctx, ""),
			"delete bad ID":   s.DeadLetters().Delete(ctx, "../x"),
			"replay deleted":  s.DeadLetters().RequestReplay(ctx, ids[1]),
			"get deleted":     errOf(s.DeadLetters().Get(ctx, ids[1])),
			"get unknown ID":  errOf(s.DeadLetters().Get(ctx, strings.Repeat("0", 32))),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want not found", name, err)
			}
		}
	})
}

func testDeadLetterReplace(t *testing.T, e env) {
	ctx := t.Context()
	clock := testclock.NewFakeClock(noon())
	e.withOptions(t, options{clock: clock}, func(s store.Store) {
		first := got(s.DeadLetters().Put(ctx, newDeadLetter(1)))(t)
		clock.Step(time.Minute)
		other := newDeadLetter(1)
		other.Trigger.Name = "other"
		if id := got(s.DeadLetters().Put(ctx, other))(t); id == first {
			t.Error("two triggers share a dead letter")
		}
		clock.Step(time.Minute)
		again := newDeadLetter(1)
		again.Attempts = 7
		assertEqual(t, got(s.DeadLetters().Put(ctx, again))(t), first)
	})
	e.withOptions(t, options{clock: clock}, func(s store.Store) {
		list := got(s.DeadLetters().List(ctx))(t)
		if len(list.Items) != 2 || list.Dropped != 0 {
			t.Fatalf("%d dead letters and %d dropped, want 2 and 0", len(list.Items), list.Dropped)
		}
		if last := list.Items[1]; last.Attempts != 7 || !last.StoredAt.Equal(clock.Now()) {
			t.Errorf("last: %+v, want the replaced one", last)
		}
	})
}

func testDeadLetterLimit(t *testing.T, e env) {
	ctx := t.Context()
	const limit, extra = 10, 7
	o := options{limits: store.Limits{DeadLetters: limit}, clock: testclock.NewFakeClock(noon())}
	put := func(s store.Store, from, to int) {
		for n := from; n < to; n++ {
			got(s.DeadLetters().Put(ctx, newDeadLetter(n)))(t)
			o.clock.Step(time.Second)
		}
	}
	e.withOptions(t, o, func(s store.Store) { put(s, 0, limit+3) })
	e.withOptions(t, o, func(s store.Store) {
		put(s, limit+3, limit+extra)
		list := got(s.DeadLetters().List(ctx))(t)
		assertEqual(t, list.Dropped, uint64(extra))
		assertEqual(t, len(list.Items), limit)
		for i, l := range list.Items {
			assertEqual(t, l.Event.ID, newDeadLetter(extra+i).Event.ID)
		}
		must(t, s.DeadLetters().Delete(ctx, list.Items[5].ID))
		put(s, 100, 101)
		assertEqual(t, got(s.DeadLetters().List(ctx))(t).Dropped, uint64(extra))
	})
}

func testDeadLetterAge(t *testing.T, e env) {
	ctx := t.Context()
	o := options{limits: store.Limits{DeadLetterAge: time.Hour}, clock: testclock.NewFakeClock(noon())}
	e.withOptions(t, o, func(s store.Store) {
		got(s.DeadLetters().Put(ctx, newDeadLetter(1)))(t)
		o.clock.Step(40 * time.Minute)
		got(s.DeadLetters().Put(ctx, newDeadLetter(2)))(t)
	})
	o.clock.Step(40 * time.Minute)
	e.withOptions(t, o, func(s store.Store) {
		list := got(s.DeadLetters().List(ctx))(t)
		if len(list.Items) != 1 || list.Items[0].Event.ID != "id-2" || list.Dropped != 1 {
			t.Errorf("got %+v, want the second dead letter only, and 1 dropped", list)
		}
		got(s.DeadLetters().Put(ctx, newDeadLetter(3)))(t)
		list = got(s.DeadLetters().List(ctx))(t)
		if len(list.Items) != 2 || list.Dropped != 1 {
			t.Errorf("got %+v, want two dead letters and 1 dropped", list)
		}
	})
}

func testDeadLetterTooLarge(t *testing.T, e env) {
	ctx := t.Context()
	e.withStore(t, func(s store.Store) {
		l := newDeadLetter(1)
		l.Error = strings.Repeat("long ", 10_000)
		l.Event.Data = map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "4", "labels": map[string]any{"x": "y"}},
			"data":     map[string]any{"big": strings.Repeat("x", 1<<20)},
		}
		l.Event.Old = nil
		fitting := newDeadLetter(2)
		fitting.Event.Data["big"] = strings.Repeat("x", 900<<10)
		largeID, fittingID := got(s.DeadLetters().Put(ctx, l))(t), got(s.DeadLetters().Put(ctx, fitting))(t)

		stored := got(s.DeadLetters().Get(ctx, largeID))(t)
		assertEqual(t, stored.Omitted, store.OmittedSize)
		assertEqual(t, stored.Event.Data, map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "4"},
		})
		if n := len(stored.Error); n < 1000 || n > 5000 {
			t.Errorf("error of %d bytes, want 1000 to 5000", n)
		}
		stored = got(s.DeadLetters().Get(ctx, fittingID))(t)
		assertEqual(t, stored.Event, fitting.Event)
		assertEqual(t, stored.Omitted, "")
	})
}

func testSecrets(t *testing.T, e env) {
	ctx := t.Context()
	const canary = "c4n4ry-Pa55word-for-tests"
	encoded := base64.StdEncoding.EncodeToString([]byte(canary))
	secret := func(field, value string) map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata": map[string]any{
				"name": "login", "namespace": "default", "uid": "9e3779b1-0000-4000-8000-000000000001", "resourceVersion": "12",
				"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": `{"data":{"p":"` + encoded + `"}}`},
			},
			field: map[string]any{"p": value},
		}
	}
	deadLetter := func(n int, text string) store.DeadLetter {
		l := newDeadLetter(n)
		l.Event.Data, l.Event.Old, l.Error = secret("data", encoded), secret("stringData", canary), text
		return l
	}
	e.withStore(t, func(s store.Store) {
		plain := got(s.DeadLetters().Put(ctx, deadLetter(1, `secrets "login" is forbidden`)))(t)
		quotes := got(s.DeadLetters().Put(ctx, deadLetter(2, "conflicting values "+canary+" and 7")))(t)
		got(s.DeadLetters().Put(ctx, deadLetter(3, "conflicting values "+encoded[3:15])))(t)
		deleted := deadLetter(4, "")
		deleted.Event.Data = map[string]any{"kind": "Secret", "metadata": map[string]any{"name": "login"}}
		got(s.DeadLetters().Put(ctx, deleted))(t)
		ev := newEvent("webhook", 1)
		ev.Data = secret("data", encoded)
		if err := s.Queue().Enqueue(ctx, ev); !errors.Is(err, store.ErrRejected) {
			t.Errorf("enqueue a Secret: got %v, want rejected", err)
		}

		l := got(s.DeadLetters().Get(ctx, plain))(t)
		assertEqual(t, l.Error, `secrets "login" is forbidden`)
		assertEqual(t, l.Omitted, store.OmittedSecret)
		assertEqual(t, l.Event.Old, nil)
		assertEqual(t, l.Event.Data, map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata": map[string]any{"name": "login", "namespace": "default", "uid": "9e3779b1-0000-4000-8000-000000000001", "resourceVersion": "12"},
		})
		assertEqual(t, got(s.DeadLetters().Get(ctx, quotes))(t).Reason, "RetriesExhausted")
		assertEqual(t, len(got(s.DeadLetters().List(ctx))(t).Items), 4)
	})
	dump := string(e.dump(t))
	if !strings.Contains(dump, "login") {
		t.Fatal("the dump does not contain the dead letters")
	}
	for _, piece := range []string{canary, canary[:8], encoded, encoded[3:15]} {
		if strings.Contains(dump, piece) {
			t.Errorf("stored: %q", piece)
		}
	}
}

func testReplay(t *testing.T, e env) {
	ctx := t.Context()
	o := options{clock: testclock.NewFakeClock(noon())}
	var ids []string
	e.withOptions(t, o, func(s store.Store) {
		assertEqual(t, got(s.DeadLetters().ReplayRequested(ctx))(t), nil)
		for n := range 3 {
			ids = append(ids, got(s.DeadLetters().Put(ctx, newDeadLetter(n)))(t))
		}
		o.clock.Step(time.Minute)
		must(t, s.DeadLetters().RequestReplay(ctx, ids[1]))
		l := newDeadLetter(2)
		must(t, s.DeadLetters().RequestReplayOf(ctx, l.Trigger, l.Event))
		l.Event.ID = "another"
		if err := s.DeadLetters().RequestReplayOf(ctx, l.Trigger, l.Event); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("replay of an event without a dead letter: got %v, want ErrNotFound", err)
		}
	})
	e.withOptions(t, o, func(s store.Store) {
		requested := got(s.DeadLetters().ReplayRequested(ctx))(t)
		slices.Sort(requested)
		want := []string{ids[1], ids[2]}
		slices.Sort(want)
		assertEqual(t, requested, want)
		l := got(s.DeadLetters().Get(ctx, ids[1]))(t)
		assertEqual(t, l.ReplayRequestedAt, noon().Add(time.Minute))
		assertEqual(t, l.Event, newDeadLetter(1).Event)
		got(s.DeadLetters().Put(ctx, l))(t)
		must(t, s.DeadLetters().Delete(ctx, ids[2]))
		assertEqual(t, got(s.DeadLetters().ReplayRequested(ctx))(t), nil)
		assertEqual(t, got(s.DeadLetters().Get(ctx, ids[1]))(t).ReplayRequestedAt, time.Time{})
	})
}
