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
	ev.Writer, ev.Cluster = "kubectl", "prod"
	return store.DeadLetter{
		Trigger: event.TriggerRef{Name: "notify", Namespace: "default"},
		Event:   ev, Reason: "no retry is left", Error: fmt.Sprintf("refused the %dth time", n),
		Attempts: 6, FirstAttempt: noon().Add(-time.Minute), LastAttempt: noon(),
	}
}

func lettersSurvive(t *testing.T, p env) {
	ctx := t.Context()
	var ids []string
	var want []store.DeadLetter
	clock := testclock.NewFakeClock(noon())
	p.withOptions(t, options{clock: clock}, func(s store.Store) {
		for n := range 3 {
			l := newDeadLetter(n)
			ids = append(ids, got(s.PutDeadLetter(ctx, l))(t))
			l.ID, l.StoredAt = ids[n], clock.Now()
			want = append(want, l)
			clock.Step(time.Second)
		}
	})
	p.withOptions(t, options{clock: clock}, func(s store.Store) {
		for n, id := range ids {
			assertEqual(t, got(s.GetDeadLetter(ctx, id))(t), want[n])
		}
		list := slices.Clone(want)
		for n := range list {
			list[n].Event.Data, list[n].Event.Old = nil, nil
		}
		assertEqual(t, got(s.ListDeadLetters(ctx))(t), store.DeadLetterList{Items: list})

		must(t, s.DeleteDeadLetter(ctx, ids[1]))
		assertEqual(t, got(s.ListDeadLetters(ctx))(t), store.DeadLetterList{Items: []store.DeadLetter{list[0], list[2]}})
		for name, err := range map[string]error{
			"discard again":    s.DeleteDeadLetter(ctx, ids[1]),
			"discard no ID":    s.DeleteDeadLetter(ctx, ""),
			"discard odd ID":   s.DeleteDeadLetter(ctx, "../x"),
			"replay discarded": s.RequestReplay(ctx, ids[1]),
			"read discarded":   errOf(s.GetDeadLetter(ctx, ids[1])),
			"read other's ID":  errOf(s.GetDeadLetter(ctx, strings.Repeat("0", 32))),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want not found", name, err)
			}
		}
	})
}

func letterIsBuriedOnce(t *testing.T, p env) {
	ctx := t.Context()
	clock := testclock.NewFakeClock(noon())
	p.withOptions(t, options{clock: clock}, func(s store.Store) {
		first := got(s.PutDeadLetter(ctx, newDeadLetter(1)))(t)
		clock.Step(time.Minute)
		other := newDeadLetter(1)
		other.Trigger.Name = "other"
		if id := got(s.PutDeadLetter(ctx, other))(t); id == first {
			t.Error("two triggers share a letter")
		}
		clock.Step(time.Minute)
		again := newDeadLetter(1)
		again.Attempts = 7
		assertEqual(t, got(s.PutDeadLetter(ctx, again))(t), first)
	})
	p.withOptions(t, options{clock: clock}, func(s store.Store) {
		b := got(s.ListDeadLetters(ctx))(t)
		if len(b.Items) != 2 || b.Dropped != 0 {
			t.Fatalf("%d letters and %d dropped, want 2 and 0", len(b.Items), b.Dropped)
		}
		if last := b.Items[1]; last.Attempts != 7 || !last.StoredAt.Equal(clock.Now()) {
			t.Errorf("the last is %+v, want the one buried again", last)
		}
	})
}

func lettersAreBoundedInNumber(t *testing.T, p env) {
	ctx := t.Context()
	const limit, extra = 10, 7
	o := options{limits: store.Limits{DeadLetters: limit}, clock: testclock.NewFakeClock(noon())}
	bury := func(s store.Store, from, to int) {
		for n := from; n < to; n++ {
			got(s.PutDeadLetter(ctx, newDeadLetter(n)))(t)
			o.clock.Step(time.Second)
		}
	}
	p.withOptions(t, o, func(s store.Store) { bury(s, 0, limit+3) })
	p.withOptions(t, o, func(s store.Store) {
		bury(s, limit+3, limit+extra)
		b := got(s.ListDeadLetters(ctx))(t)
		assertEqual(t, b.Dropped, uint64(extra))
		assertEqual(t, len(b.Items), limit)
		for i, l := range b.Items {
			assertEqual(t, l.Event.ID, newDeadLetter(extra+i).Event.ID)
		}
		must(t, s.DeleteDeadLetter(ctx, b.Items[5].ID))
		bury(s, 100, 101)
		assertEqual(t, got(s.ListDeadLetters(ctx))(t).Dropped, uint64(extra))
	})
}

func lettersAreBoundedInAge(t *testing.T, p env) {
	ctx := t.Context()
	o := options{limits: store.Limits{DeadLetterAge: time.Hour}, clock: testclock.NewFakeClock(noon())}
	p.withOptions(t, o, func(s store.Store) {
		got(s.PutDeadLetter(ctx, newDeadLetter(1)))(t)
		o.clock.Step(40 * time.Minute)
		got(s.PutDeadLetter(ctx, newDeadLetter(2)))(t)
	})
	o.clock.Step(40 * time.Minute)
	p.withOptions(t, o, func(s store.Store) {
		b := got(s.ListDeadLetters(ctx))(t)
		if len(b.Items) != 1 || b.Items[0].Event.ID != "id-2" || b.Dropped != 1 {
			t.Errorf("got %+v, want the second letter alone and 1 dropped", b)
		}
		got(s.PutDeadLetter(ctx, newDeadLetter(3)))(t)
		b = got(s.ListDeadLetters(ctx))(t)
		if len(b.Items) != 2 || b.Dropped != 1 {
			t.Errorf("got %+v, want two letters and 1 dropped", b)
		}
	})
}

func largeLetterKeepsItsName(t *testing.T, p env) {
	ctx := t.Context()
	p.withStore(t, func(s store.Store) {
		l := newDeadLetter(1)
		l.Error = strings.Repeat("long ", 10_000)
		l.Event.Data = map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "4", "labels": map[string]any{"x": "y"}},
			"data":     map[string]any{"big": strings.Repeat("x", 1<<20)},
		}
		l.Event.Old = nil
		whole := newDeadLetter(2)
		whole.Event.Data["big"] = strings.Repeat("x", 900<<10)
		large, fits := got(s.PutDeadLetter(ctx, l))(t), got(s.PutDeadLetter(ctx, whole))(t)

		kept := got(s.GetDeadLetter(ctx, large))(t)
		assertEqual(t, kept.Omitted, store.OmittedSize)
		assertEqual(t, kept.Event.Data, map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "4"},
		})
		if n := len(kept.Error); n < 1000 || n > 5000 {
			t.Errorf("error of %d bytes, want some thousand", n)
		}
		kept = got(s.GetDeadLetter(ctx, fits))(t)
		assertEqual(t, kept.Event, whole.Event)
		assertEqual(t, kept.Omitted, "")
	})
}

func noDataOfSecrets(t *testing.T, p env) {
	ctx := t.Context()
	const canary = "c4n4ry-Pa55word-for-nobody"
	encoded := base64.StdEncoding.EncodeToString([]byte(canary))
	secret := func(field, value string) map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata": map[string]any{
				"name": "login", "namespace": "default", "uid": uid(1), "resourceVersion": "12",
				"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": `{"data":{"p":"` + encoded + `"}}`},
			},
			field: map[string]any{"p": value},
		}
	}
	letter := func(n int, text string) store.DeadLetter {
		l := newDeadLetter(n)
		l.Event.Data, l.Event.Old, l.Error = secret("data", encoded), secret("stringData", canary), text
		return l
	}
	p.withStore(t, func(s store.Store) {
		plain := got(s.PutDeadLetter(ctx, letter(1, `secrets "login" is forbidden`)))(t)
		quotes := got(s.PutDeadLetter(ctx, letter(2, "conflicting values "+canary+" and 7")))(t)
		got(s.PutDeadLetter(ctx, letter(3, "conflicting values "+encoded[3:15])))(t)
		gone := letter(4, "")
		gone.Event.Data = map[string]any{"kind": "Secret", "metadata": map[string]any{"name": "login"}}
		got(s.PutDeadLetter(ctx, gone))(t)
		ev := newEvent("webhook", 1)
		ev.Data = secret("data", encoded)
		if err := s.Enqueue(ctx, ev); !errors.Is(err, store.ErrRejected) {
			t.Errorf("accept a Secret: got %v, want a refusal", err)
		}

		l := got(s.GetDeadLetter(ctx, plain))(t)
		assertEqual(t, l.Error, `secrets "login" is forbidden`)
		assertEqual(t, l.Omitted, store.OmittedSecret)
		assertEqual(t, l.Event.Old, nil)
		assertEqual(t, l.Event.Data, map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata": map[string]any{"name": "login", "namespace": "default", "uid": uid(1), "resourceVersion": "12"},
		})
		assertEqual(t, got(s.GetDeadLetter(ctx, quotes))(t).Reason, "no retry is left")
		assertEqual(t, len(got(s.ListDeadLetters(ctx))(t).Items), 4)
	})
	dump := string(p.dump(t))
	if !strings.Contains(dump, "login") {
		t.Fatal("the dump does not show what is stored")
	}
	for _, piece := range []string{canary, canary[:8], encoded, encoded[3:15]} {
		if strings.Contains(dump, piece) {
			t.Errorf("stored: %q", piece)
		}
	}
}

func replaysAreAskedFor(t *testing.T, p env) {
	ctx := t.Context()
	o := options{clock: testclock.NewFakeClock(noon())}
	var ids []string
	p.withOptions(t, o, func(s store.Store) {
		assertEqual(t, got(s.ReplayRequested(ctx))(t), nil)
		for n := range 3 {
			ids = append(ids, got(s.PutDeadLetter(ctx, newDeadLetter(n)))(t))
		}
		o.clock.Step(time.Minute)
		must(t, s.RequestReplay(ctx, ids[1]))
		must(t, s.RequestReplay(ctx, ids[2]))
	})
	p.withOptions(t, o, func(s store.Store) {
		asked := got(s.ReplayRequested(ctx))(t)
		slices.Sort(asked)
		want := []string{ids[1], ids[2]}
		slices.Sort(want)
		assertEqual(t, asked, want)
		l := got(s.GetDeadLetter(ctx, ids[1]))(t)
		assertEqual(t, l.ReplayRequestedAt, noon().Add(time.Minute))
		assertEqual(t, l.Event, newDeadLetter(1).Event)
		got(s.PutDeadLetter(ctx, l))(t)
		must(t, s.DeleteDeadLetter(ctx, ids[2]))
		assertEqual(t, got(s.ReplayRequested(ctx))(t), nil)
		assertEqual(t, got(s.GetDeadLetter(ctx, ids[1]))(t).ReplayRequestedAt, time.Time{})
	})
}
