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

package engine_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// debounced returns a trigger with a window of ten seconds and a recorded action.
func debounced(ran *recorder) triggerSpec {
	return triggerSpec{
		Policy: engine.Policy{Debounce: 10 * time.Second},
		Action: actionFunc(func(_ context.Context, ev event.Event) error {
			ran.add(ev.ID)
			return nil
		}),
	}
}

func TestDebounce_Window(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		h := start(t, engine.Options{}, debounced(&ran))
		h.deliver("a", "1")
		advance(5 * time.Second)
		h.deliver("a", "2")
		h.deliver("b", "3")
		advance(4 * time.Second)
		h.deliver("a", "4")
		ran.want(t)
		h.wantDone()
		advance(time.Second) // ten seconds after the first event
		ran.want(t, "4")
		advance(5 * time.Second)
		ran.want(t, "4", "3")
		h.wantDone("1", "2", "3", "4")
		for id, want := range map[string]engine.Outcome{"1": engine.Suppressed, "2": engine.Suppressed, "3": engine.Succeeded, "4": engine.Succeeded} {
			h.wantOutcomes(id, want)
			if d := h.decisionsOf(id)[0]; want == engine.Suppressed && d.Reason != engine.ReasonDebounced {
				t.Errorf("event %q is suppressed with reason %q", id, d.Reason)
			}
		}
		h.deliver("a", "5") // starts the next window
		advance(9 * time.Second)
		ran.want(t, "4", "3")
		advance(time.Second)
		ran.want(t, "4", "3", "5")
		h.stop()
	})
}

// TestDebounce_Shutdown stops the engine within a window: none of its events is
// done.
func TestDebounce_Shutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		h := start(t, engine.Options{}, debounced(&ran))
		for i := range 20 {
			h.deliver("a", fmt.Sprint(i))
		}
		advance(5 * time.Second)
		h.stop()
		ran.want(t)
		h.wantDone()
	})
}

// TestDebounce_FreesSlots delivers more events within a window than the queue has
// slots.
func TestDebounce_FreesSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		trigger := debounced(&ran)
		trigger.Policy.QueueSize = 20
		h := start(t, engine.Options{}, trigger)
		var ids []string
		for i := range 500 {
			ids = append(ids, fmt.Sprint(i))
			h.deliver("a", ids[i])
			synctest.Wait()
		}
		advance(10 * time.Second)
		ran.want(t, "499")
		h.wantDone(ids...)
		h.stop()
	})
}

func TestDebounce_Merge(t *testing.T) {
	state := func(v string) map[string]any { return map[string]any{"v": v} }
	of := func(kind, v string, old map[string]any) event.Event {
		return event.Event{Type: kind, Key: "a", ID: kind + v, Data: state(v), Old: old}
	}
	for name, c := range map[string]struct{ first, second, want event.Event }{
		"create-update": {
			of(event.Create, "1", nil), of(event.Update, "2", state("1")),
			event.Event{Type: event.Create, Key: "a", ID: "update2", Data: state("2")},
		},
		"sync-update": {
			of(event.Sync, "1", nil), of(event.Update, "2", state("1")),
			event.Event{Type: event.Sync, Key: "a", ID: "update2", Data: state("2")},
		},
		"update-update": {
			of(event.Update, "1", state("0")), of(event.Update, "2", state("1")),
			of(event.Update, "2", state("0")),
		},
		"update-delete": {
			of(event.Update, "1", state("0")), of(event.Delete, "2", state("1")),
			of(event.Delete, "2", state("1")),
		},
		"delete-create": {
			of(event.Delete, "1", nil), of(event.Create, "2", nil),
			of(event.Create, "2", nil),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []event.Event
				trigger := debounced(&recorder{})
				trigger.Action = actionFunc(func(_ context.Context, ev event.Event) error {
					got = append(got, ev)
					return nil
				})
				h := start(t, engine.Options{}, trigger)
				for _, ev := range []event.Event{c.first, c.second} {
					if err := h.sink.Deliver(t.Context(), ev, source.Delivery{Done: func() {}}); err != nil {
						t.Fatal(err)
					}
				}
				advance(10 * time.Second)
				if diff := cmp.Diff([]event.Event{c.want}, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				h.stop()
			})
		})
	}
}
