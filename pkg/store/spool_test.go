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
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

func spooled(t *testing.T, s store.Store, source string) []event.Event {
	t.Helper()
	var events []event.Event
	for ev, err := range s.Spooled(t.Context(), source) {
		must(t, err)
		events = append(events, ev)
	}
	return events
}

func spoolKeepsOrder(t *testing.T, p place) {
	ctx := t.Context()
	const events = 150
	var want []event.Event
	p.with(t, func(s store.Store) {
		for n := range events {
			must(t, s.Accept(ctx, happening("webhook", n)))
			must(t, s.Accept(ctx, happening("cloudevents", n)))
			if n%3 == 0 {
				must(t, s.Release(ctx, "webhook", happening("", n).ID))
			} else {
				want = append(want, happening("webhook", n))
			}
		}
		repeated := happening("webhook", 1)
		repeated.Type = "repeated"
		must(t, s.Accept(ctx, repeated))
		must(t, s.Release(ctx, "webhook", "never there"))
	})
	p.with(t, func(s store.Store) {
		must(t, s.Accept(ctx, happening("webhook", 1000)))
		want = append(want, happening("webhook", 1000))
		same(t, spooled(t, s, "webhook"), want)
		same(t, len(spooled(t, s, "cloudevents")), events)
		same(t, len(spooled(t, s, "none")), 0)

		// What is accepted while it is read comes next time.
		n := 0
		for ev, err := range s.Spooled(ctx, "webhook") {
			must(t, err)
			must(t, s.Release(ctx, "webhook", ev.ID))
			must(t, s.Accept(ctx, happening("webhook", 2000+n)))
			n++
		}
		same(t, n, len(want))
		same(t, len(spooled(t, s, "webhook")), n)
		for _, err := range s.Spooled(ctx, "webhook") {
			must(t, err)
			break
		}
	})
}

func spoolIsBounded(t *testing.T, p place) {
	ctx := t.Context()
	o := options{limits: store.Limits{Spool: 3}}
	p.limited(t, o, func(s store.Store) {
		for n := range 3 {
			must(t, s.Accept(ctx, happening("webhook", n)))
		}
		must(t, s.Accept(ctx, happening("webhook", 2)))
	})
	p.limited(t, o, func(s store.Store) {
		if err := s.Accept(ctx, happening("webhook", 3)); !errors.Is(err, store.ErrFull) {
			t.Errorf("got %v, want that the spool is full", err)
		}
		must(t, s.Release(ctx, "webhook", "id-0"))
		must(t, s.Release(ctx, "webhook", "id-0"))
		must(t, s.Accept(ctx, happening("webhook", 3)))
		if err := s.Accept(ctx, happening("webhook", 4)); !errors.Is(err, store.ErrFull) {
			t.Errorf("got %v, want that the spool is full", err)
		}
		large := happening("webhook", 5)
		large.Data["big"] = strings.Repeat("x", 2<<20)
		if err := s.Accept(ctx, large); !errors.Is(err, store.ErrRefused) {
			t.Errorf("got %v, want a refusal", err)
		}
		large.Data = map[string]any{"not": make(chan int)}
		if err := s.Accept(ctx, large); !errors.Is(err, store.ErrRefused) {
			t.Errorf("got %v, want a refusal", err)
		}
		same(t, len(spooled(t, s, "webhook")), 3)
	})
}

func historyIsBounded(t *testing.T, p place) {
	ctx := t.Context()
	const limit, runs = 20, 73
	o := options{limits: store.Limits{Runs: limit}}
	var want []store.Run
	p.limited(t, o, func(s store.Store) {
		for n := range runs {
			r := store.Run{
				Time: noon().Add(time.Duration(n)), Trigger: event.Trigger{Name: "notify"}, Source: "cron", Type: "tick",
				Key: "k", EventID: fmt.Sprint(n), Outcome: "acted", Reason: "why", Attempts: 2, Duration: time.Millisecond,
			}
			must(t, s.Record(ctx, r))
			want = append(want, r)
		}
	})
	p.limited(t, o, func(s store.Store) {
		same(t, got(s.Runs(ctx))(t), want[runs-limit:])
		must(t, s.Record(ctx, want...))
		same(t, got(s.Runs(ctx))(t), want[runs-limit:])
		must(t, s.Record(ctx))
	})
}

// wholeEventsSurvive notices a field of events that is not stored.
func wholeEventsSurvive(t *testing.T, p place) {
	ctx := t.Context()
	ev := failure(1).Event
	ev.Source, ev.Unchanged, ev.For = "webhook", []string{"spec"}, []event.Trigger{{Name: "a", Namespace: "b"}}
	for i, v := range reflect.VisibleFields(reflect.TypeOf(ev)) {
		if reflect.ValueOf(ev).Field(i).IsZero() {
			t.Fatalf("the event has no %s", v.Name)
		}
	}
	none := ev
	none.ID, none.For = "none", []event.Trigger{}
	p.with(t, func(s store.Store) {
		must(t, s.Accept(ctx, ev))
		must(t, s.Accept(ctx, none))
		id := got(s.Bury(ctx, store.Letter{Event: ev}))(t)
		same(t, got(s.Letter(ctx, id))(t).Event, ev)
	})
	p.with(t, func(s store.Store) {
		events := spooled(t, s, "webhook")
		same(t, events, []event.Event{ev, none})
		if events[1].For == nil {
			t.Error("an event for no trigger came back as one for all")
		}
	})
}
