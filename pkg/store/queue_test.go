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
	"reflect"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

func queued(t *testing.T, s store.Store, source string) []event.Event {
	t.Helper()
	var events []event.Event
	for ev, err := range s.Queue().Pending(t.Context(), source) {
		must(t, err)
		events = append(events, ev)
	}
	return events
}

func testQueueOrder(t *testing.T, e env) {
	ctx := t.Context()
	const events = 150
	var want []event.Event
	e.withStore(t, func(s store.Store) {
		for n := range events {
			must(t, s.Queue().Enqueue(ctx, newEvent("webhook", n)))
			must(t, s.Queue().Enqueue(ctx, newEvent("cloudevents", n)))
			if n%3 == 0 {
				must(t, s.Queue().Ack(ctx, "webhook", newEvent("", n).ID))
			} else {
				want = append(want, newEvent("webhook", n))
			}
		}
		repeated := newEvent("webhook", 1)
		repeated.Type = "repeated"
		must(t, s.Queue().Enqueue(ctx, repeated))
		must(t, s.Queue().Ack(ctx, "webhook", "unknown"))
	})
	e.withStore(t, func(s store.Store) {
		must(t, s.Queue().Enqueue(ctx, newEvent("webhook", 1000)))
		want = append(want, newEvent("webhook", 1000))
		assertEqual(t, queued(t, s, "webhook"), want)
		assertEqual(t, len(queued(t, s, "cloudevents")), events)
		assertEqual(t, len(queued(t, s, "none")), 0)

		// Events that are enqueued during an iteration are not part of it.
		n := 0
		for ev, err := range s.Queue().Pending(ctx, "webhook") {
			must(t, err)
			must(t, s.Queue().Ack(ctx, "webhook", ev.ID))
			must(t, s.Queue().Enqueue(ctx, newEvent("webhook", 2000+n)))
			n++
		}
		assertEqual(t, n, len(want))
		assertEqual(t, len(queued(t, s, "webhook")), n)
		for _, err := range s.Queue().Pending(ctx, "webhook") {
			must(t, err)
			break
		}
	})
}

func testQueueLimit(t *testing.T, e env) {
	ctx := t.Context()
	o := options{limits: store.Limits{Queue: 3}}
	e.withOptions(t, o, func(s store.Store) {
		for n := range 3 {
			must(t, s.Queue().Enqueue(ctx, newEvent("webhook", n)))
		}
		must(t, s.Queue().Enqueue(ctx, newEvent("webhook", 2)))
	})
	e.withOptions(t, o, func(s store.Store) {
		if err := s.Queue().Enqueue(ctx, newEvent("webhook", 3)); !errors.Is(err, store.ErrFull) {
			t.Errorf("got %v, want full", err)
		}
		must(t, s.Queue().Ack(ctx, "webhook", "id-0"))
		must(t, s.Queue().Ack(ctx, "webhook", "id-0"))
		must(t, s.Queue().Enqueue(ctx, newEvent("webhook", 3)))
		if err := s.Queue().Enqueue(ctx, newEvent("webhook", 4)); !errors.Is(err, store.ErrFull) {
			t.Errorf("got %v, want full", err)
		}
		large := newEvent("webhook", 5)
		large.Data["big"] = strings.Repeat("x", 2<<20)
		if err := s.Queue().Enqueue(ctx, large); !errors.Is(err, store.ErrRejected) {
			t.Errorf("got %v, want rejected", err)
		}
		large.Data = map[string]any{"not": make(chan int)}
		if err := s.Queue().Enqueue(ctx, large); !errors.Is(err, store.ErrRejected) {
			t.Errorf("got %v, want rejected", err)
		}
		assertEqual(t, len(queued(t, s, "webhook")), 3)
	})
}

// testEventFields fails if a field of event.Event is not stored, except Replay, which each replay
// sets.
func testEventFields(t *testing.T, e env) {
	ctx := t.Context()
	ev := newDeadLetter(1).Event
	ev.Source = "webhook"
	for i, v := range reflect.VisibleFields(reflect.TypeOf(ev)) {
		if v.Name != "Replay" && reflect.ValueOf(ev).Field(i).IsZero() {
			t.Fatalf("the event has no %s", v.Name)
		}
	}
	e.withStore(t, func(s store.Store) {
		must(t, s.Queue().Enqueue(ctx, ev))
		id := got(s.DeadLetters().Put(ctx, store.DeadLetter{Event: ev}))(t)
		assertEqual(t, got(s.DeadLetters().Get(ctx, id))(t).Event, ev)
	})
	e.withStore(t, func(s store.Store) {
		assertEqual(t, queued(t, s, "webhook"), []event.Event{ev})
	})
}
