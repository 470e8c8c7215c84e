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

func failure(n int) store.Letter {
	ev := happening("resource-watcher", n)
	ev.Old = map[string]any{"before": int64(n)}
	ev.Writer, ev.Cluster = "kubectl", "prod"
	return store.Letter{
		Trigger: event.Trigger{Name: "notify", Namespace: "default"},
		Event:   ev, Reason: "no retry is left", Error: fmt.Sprintf("refused the %dth time", n),
		Attempts: 6, First: noon().Add(-time.Minute), Last: noon(),
	}
}

func lettersSurvive(t *testing.T, p place) {
	ctx := t.Context()
	var ids []string
	var want []store.Letter
	clock := testclock.NewFakeClock(noon())
	p.limited(t, options{clock: clock}, func(s store.Store) {
		for n := range 3 {
			l := failure(n)
			ids = append(ids, got(s.Bury(ctx, l))(t))
			l.ID, l.Buried = ids[n], clock.Now()
			want = append(want, l)
			clock.Step(time.Second)
		}
	})
	p.limited(t, options{clock: clock}, func(s store.Store) {
		for n, id := range ids {
			same(t, got(s.Letter(ctx, id))(t), want[n])
		}
		list := slices.Clone(want)
		for n := range list {
			list[n].Event.Data, list[n].Event.Old = nil, nil
		}
		same(t, got(s.Buried(ctx))(t), store.Buried{Letters: list})

		must(t, s.Discard(ctx, ids[1]))
		same(t, got(s.Buried(ctx))(t), store.Buried{Letters: []store.Letter{list[0], list[2]}})
		for name, err := range map[string]error{
			"discard again":    s.Discard(ctx, ids[1]),
			"discard no ID":    s.Discard(ctx, ""),
			"discard odd ID":   s.Discard(ctx, "../x"),
			"replay discarded": s.Replay(ctx, ids[1]),
			"read discarded":   second(s.Letter(ctx, ids[1])),
			"read other's ID":  second(s.Letter(ctx, strings.Repeat("0", 32))),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want not found", name, err)
			}
		}
	})
}

func letterIsBuriedOnce(t *testing.T, p place) {
	ctx := t.Context()
	clock := testclock.NewFakeClock(noon())
	p.limited(t, options{clock: clock}, func(s store.Store) {
		first := got(s.Bury(ctx, failure(1)))(t)
		clock.Step(time.Minute)
		other := failure(1)
		other.Trigger.Name = "other"
		if id := got(s.Bury(ctx, other))(t); id == first {
			t.Error("two triggers share a letter")
		}
		clock.Step(time.Minute)
		again := failure(1)
		again.Attempts = 7
		same(t, got(s.Bury(ctx, again))(t), first)
	})
	p.limited(t, options{clock: clock}, func(s store.Store) {
		b := got(s.Buried(ctx))(t)
		if len(b.Letters) != 2 || b.Dropped != 0 {
			t.Fatalf("%d letters and %d dropped, want 2 and 0", len(b.Letters), b.Dropped)
		}
		if last := b.Letters[1]; last.Attempts != 7 || !last.Buried.Equal(clock.Now()) {
			t.Errorf("the last is %+v, want the one buried again", last)
		}
	})
}

func lettersAreBoundedInNumber(t *testing.T, p place) {
	ctx := t.Context()
	const limit, extra = 10, 7
	o := options{limits: store.Limits{Letters: limit}, clock: testclock.NewFakeClock(noon())}
	bury := func(s store.Store, from, to int) {
		for n := from; n < to; n++ {
			got(s.Bury(ctx, failure(n)))(t)
			o.clock.Step(time.Second)
		}
	}
	p.limited(t, o, func(s store.Store) { bury(s, 0, limit+3) })
	p.limited(t, o, func(s store.Store) {
		bury(s, limit+3, limit+extra)
		b := got(s.Buried(ctx))(t)
		same(t, b.Dropped, uint64(extra))
		same(t, len(b.Letters), limit)
		for i, l := range b.Letters {
			same(t, l.Event.ID, failure(extra+i).Event.ID)
		}
		must(t, s.Discard(ctx, b.Letters[5].ID))
		bury(s, 100, 101)
		same(t, got(s.Buried(ctx))(t).Dropped, uint64(extra))
	})
}

func lettersAreBoundedInAge(t *testing.T, p place) {
	ctx := t.Context()
	o := options{limits: store.Limits{LetterAge: time.Hour}, clock: testclock.NewFakeClock(noon())}
	p.limited(t, o, func(s store.Store) {
		got(s.Bury(ctx, failure(1)))(t)
		o.clock.Step(40 * time.Minute)
		got(s.Bury(ctx, failure(2)))(t)
	})
	o.clock.Step(40 * time.Minute)
	p.limited(t, o, func(s store.Store) {
		b := got(s.Buried(ctx))(t)
		if len(b.Letters) != 1 || b.Letters[0].Event.ID != "id-2" || b.Dropped != 1 {
			t.Errorf("got %+v, want the second letter alone and 1 dropped", b)
		}
		got(s.Bury(ctx, failure(3)))(t)
		b = got(s.Buried(ctx))(t)
		if len(b.Letters) != 2 || b.Dropped != 1 {
			t.Errorf("got %+v, want two letters and 1 dropped", b)
		}
	})
}

func largeLetterKeepsItsName(t *testing.T, p place) {
	ctx := t.Context()
	p.with(t, func(s store.Store) {
		l := failure(1)
		l.Error = strings.Repeat("long ", 10_000)
		l.Event.Data = map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "4", "labels": map[string]any{"x": "y"}},
			"data":     map[string]any{"big": strings.Repeat("x", 1<<20)},
		}
		l.Event.Old = nil
		whole := failure(2)
		whole.Event.Data["big"] = strings.Repeat("x", 900<<10)
		large, fits := got(s.Bury(ctx, l))(t), got(s.Bury(ctx, whole))(t)

		kept := got(s.Letter(ctx, large))(t)
		same(t, kept.Omitted, store.OmittedSize)
		same(t, kept.Event.Data, map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "4"},
		})
		if n := len(kept.Error); n < 1000 || n > 5000 {
			t.Errorf("error of %d bytes, want some thousand", n)
		}
		kept = got(s.Letter(ctx, fits))(t)
		same(t, kept.Event, whole.Event)
		same(t, kept.Omitted, "")
	})
}

func noDataOfSecrets(t *testing.T, p place) {
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
	letter := func(n int, text string) store.Letter {
		l := failure(n)
		l.Event.Data, l.Event.Old, l.Error = secret("data", encoded), secret("stringData", canary), text
		return l
	}
	p.with(t, func(s store.Store) {
		plain := got(s.Bury(ctx, letter(1, `secrets "login" is forbidden`)))(t)
		quotes := got(s.Bury(ctx, letter(2, "conflicting values "+canary+" and 7")))(t)
		got(s.Bury(ctx, letter(3, "conflicting values "+encoded[3:15])))(t)
		gone := letter(4, "")
		gone.Event.Data = map[string]any{"kind": "Secret", "metadata": map[string]any{"name": "login"}}
		got(s.Bury(ctx, gone))(t)
		ev := happening("webhook", 1)
		ev.Data = secret("data", encoded)
		if err := s.Accept(ctx, ev); !errors.Is(err, store.ErrRefused) {
			t.Errorf("accept a Secret: got %v, want a refusal", err)
		}

		l := got(s.Letter(ctx, plain))(t)
		same(t, l.Error, `secrets "login" is forbidden`)
		same(t, l.Omitted, store.OmittedSecret)
		same(t, l.Event.Old, nil)
		same(t, l.Event.Data, map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata": map[string]any{"name": "login", "namespace": "default", "uid": uid(1), "resourceVersion": "12"},
		})
		same(t, got(s.Letter(ctx, quotes))(t).Reason, "no retry is left")
		same(t, len(got(s.Buried(ctx))(t).Letters), 4)
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

func replaysAreAskedFor(t *testing.T, p place) {
	ctx := t.Context()
	o := options{clock: testclock.NewFakeClock(noon())}
	var ids []string
	p.limited(t, o, func(s store.Store) {
		same(t, got(s.Asked(ctx))(t), nil)
		for n := range 3 {
			ids = append(ids, got(s.Bury(ctx, failure(n)))(t))
		}
		o.clock.Step(time.Minute)
		must(t, s.Replay(ctx, ids[1]))
		must(t, s.Replay(ctx, ids[2]))
	})
	p.limited(t, o, func(s store.Store) {
		asked := got(s.Asked(ctx))(t)
		slices.Sort(asked)
		want := []string{ids[1], ids[2]}
		slices.Sort(want)
		same(t, asked, want)
		l := got(s.Letter(ctx, ids[1]))(t)
		same(t, l.Replay, noon().Add(time.Minute))
		same(t, l.Event, failure(1).Event)
		got(s.Bury(ctx, l))(t)
		must(t, s.Discard(ctx, ids[2]))
		same(t, got(s.Asked(ctx))(t), nil)
		same(t, got(s.Letter(ctx, ids[1]))(t).Replay, time.Time{})
	})
}
