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
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// objectSize is at least the size of the data of object, and at most a tenth more.
const objectSize = 10_000

// object returns the data of the event with an ID.
func object(id string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "c", "uid": "u", "resourceVersion": id},
		"data":     id + strings.Repeat("x", objectSize-1000),
	}
}

// dataID returns the ID of the event that object was called with; "" if the event has no
// data.
func dataID(ev event.Event) string {
	data, _ := ev.Data["data"].(string)
	return strings.TrimRight(data, "x")
}

// objects delivers events with data that can be read again.
type objects struct {
	*harness
	// reloads counts the calls of reload.
	reloads atomic.Int32
	// reload replaces the result of a reload; nil for the data of the event.
	reload func(id string) (map[string]any, bool, error)
}

func (o *objects) deliver(key, id string) {
	o.t.Helper()
	ev := event.Event{Source: "test", Type: event.Update, Key: key, ID: id, Data: object(id), Time: time.Now()}
	err := o.sink.Deliver(o.t.Context(), ev, source.Delivery{
		Done: func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.done[id]++
		},
		Reload: func(context.Context) (map[string]any, bool, error) {
			o.reloads.Add(1)
			if o.reload != nil {
				return o.reload(id)
			}
			return object(id), false, nil
		},
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// backlog returns the backlog of a trigger.
func (o *objects) backlog(name string) engine.Backlog {
	return o.engine.Backlogs()[event.TriggerRef{Name: name}]
}

// TestBudget_RateLimit delivers many more bytes than the budget to a trigger with a rate
// limit: it never holds more, each event is handled with its own data, in order, and a
// trigger of the same source acts at once.
func TestBudget_RateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget, events = 20 * objectSize, 200
		var limited, free recorder
		h := objects{harness: start(t, engine.Options{QueueBytes: budget},
			triggerSpec{
				Policy: engine.Policy{RateLimit: engine.RateLimit{Limit: 1, Period: time.Second}},
				Filter: filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
					return event.Verdict{Match: dataID(ev) == ev.ID}, nil
				}),
				Action: actionFunc(func(_ context.Context, ev event.Event) error { limited.add(dataID(ev)); return nil }),
			},
			triggerSpec{Action: actionFunc(func(_ context.Context, ev event.Event) error { free.add(dataID(ev)); return nil })},
		)}
		var ids []string
		for i := range events {
			ids = append(ids, fmt.Sprint(i))
			h.deliver("key-"+ids[i], ids[i])
		}
		synctest.Wait()
		slices.Sort(ids)
		free.wantAnyOrder(t, ids...)
		for range events {
			b := h.backlog("t0")
			if b.Bytes > budget {
				t.Fatalf("%d bytes are held, more than %d", b.Bytes, budget)
			}
			if b.Blocked > 0 {
				t.Fatalf("%d deliveries waited", b.Blocked)
			}
			advance(time.Second)
		}
		limited.wantAnyOrder(t, ids...)
		if b := h.backlog("t0"); b.Bytes != 0 || b.Unloaded != 0 || b.Events != 0 {
			t.Errorf("after all events: %+v", b)
		}
		if n := h.reloads.Load(); n < events || n > 3*events {
			t.Errorf("%d reloads of %d events: want at most two for the limited trigger, and one for the other", n, events)
		}
		h.wantDone(ids...)
		h.stop()
	})
}

// TestBudget_Order delivers more events of one key than the budget holds.
func TestBudget_Order(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		h := objects{harness: start(t, engine.Options{QueueBytes: 4 * objectSize}, triggerSpec{
			Action: actionFunc(func(ctx context.Context, ev event.Event) error {
				time.Sleep(time.Second)
				ran.add(dataID(ev))
				return nil
			}),
		})}
		var ids []string
		for i := range 50 {
			ids = append(ids, fmt.Sprint(i))
			h.deliver("k", ids[i])
		}
		advance(time.Hour)
		ran.want(t, ids...)
		if h.reloads.Load() == 0 {
			t.Error("no event was read again")
		}
		h.stop()
	})
}

// TestBudget_Fair fills the share of a trigger whose action blocks. Another trigger has
// its own share: its event is not dropped.
func TestBudget_Fair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := func(key string) source.Subscription {
			return subscription{accepts: func(ev event.Event) bool { return ev.Key[:1] == key }}
		}
		var ran recorder
		block := make(chan struct{})
		h := objects{harness: start(t, engine.Options{QueueBytes: 20 * objectSize},
			triggerSpec{Subscription: of("a"), Policy: engine.Policy{Timeout: time.Hour}, Action: actionFunc(func(context.Context, event.Event) error { <-block; return nil })},
			triggerSpec{Subscription: of("b"), Action: actionFunc(func(_ context.Context, ev event.Event) error { ran.add(dataID(ev)); return nil })},
		)}
		for i := range 100 {
			h.deliver(fmt.Sprint("a", i), fmt.Sprint(i))
		}
		synctest.Wait()
		if b := h.backlog("t0"); b.Bytes > 15*objectSize || b.Bytes < 5*objectSize || b.Unloaded < 80 {
			t.Errorf("the blocked trigger holds %+v", b)
		}
		before := h.reloads.Load()
		h.deliver("b", "b")
		synctest.Wait()
		ran.want(t, "b")
		if n := h.reloads.Load() - before; n != 0 {
			t.Errorf("the data of the other trigger was read %d times again", n)
		}
		close(block)
		h.stop()
	})
}

// TestBudget_NotReloadable: an event that cannot be read again waits at the source until
// the trigger holds less, and the trigger of another source acts.
func TestBudget_NotReloadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := make(chan source.Sink, 1)
		var ran recorder
		block := make(chan struct{})
		h := start(t, engine.Options{QueueBytes: 8 * objectSize},
			triggerSpec{Policy: engine.Policy{Timeout: time.Hour, Concurrency: 1}, Action: actionFunc(func(_ context.Context, ev event.Event) error {
				<-block
				ran.add(dataID(ev))
				return nil
			})},
			triggerSpec{SourceType: "other", Subscription: subscription{key: "other", open: func([]source.Subscription) source.Source {
				return sourceFunc(func(ctx context.Context, sink source.Sink) error {
					other <- sink
					<-ctx.Done()
					return nil
				})
			}}, Action: actionFunc(func(_ context.Context, ev event.Event) error { ran.add(dataID(ev)); return nil })},
		)
		deliver := func(sink source.Sink, id string) {
			ev := event.Event{Source: "test", Key: id, ID: id, Data: object(id), Time: time.Now()}
			if err := sink.Deliver(t.Context(), ev, source.Delivery{Done: func() {}}); err != nil {
				t.Error(err)
			}
		}
		var delivered atomic.Int32
		go func() {
			for i := range 20 {
				deliver(h.sink, fmt.Sprint(i))
				delivered.Add(1)
			}
		}()
		synctest.Wait()
		b := h.engine.Backlogs()[event.TriggerRef{Name: "t0"}]
		if n := delivered.Load(); n < 1 || n > 8 || b.Blocked != 1 || b.Bytes > 8*objectSize || b.Unloaded != 0 {
			t.Errorf("%d events were accepted, backlog %+v", n, b)
		}
		deliver(<-other, "other")
		synctest.Wait()
		ran.want(t, "other")
		close(block)
		synctest.Wait()
		if n := len(ran.ids); n != 21 {
			t.Errorf("%d events ran", n)
		}
		h.stop()
	})
}

// TestBudget_LargeEvent: an event that is larger than the whole budget is handled.
func TestBudget_LargeEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		h := objects{harness: start(t, engine.Options{QueueBytes: objectSize / 2}, triggerSpec{
			Action: actionFunc(func(_ context.Context, ev event.Event) error { ran.add(dataID(ev)); return nil }),
		})}
		for _, id := range []string{"1", "2", "3"} {
			h.deliver(id, id)
		}
		ev := event.Event{Source: "test", Key: "4", ID: "4", Data: object("4"), Time: time.Now()}
		if err := h.sink.Deliver(t.Context(), ev, source.Delivery{Done: func() {}}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		ran.wantAnyOrder(t, "1", "2", "3", "4")
		h.stop()
	})
}

// TestBudget_Retry fails the first attempts: an event that waits for its retry keeps no
// data, and the retry has it again.
func TestBudget_Retry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		var failing atomic.Bool
		failing.Store(true)
		h := objects{harness: start(t, engine.Options{QueueBytes: 8 * objectSize}, triggerSpec{
			Policy: engine.Policy{Retry: engine.Retry{Backoff: engine.Backoff{Initial: time.Minute}}},
			Action: actionFunc(func(_ context.Context, ev event.Event) error {
				if failing.Load() {
					return errors.New("refused")
				}
				ran.add(dataID(ev))
				return nil
			}),
		})}
		var ids []string
		for i := range 20 {
			ids = append(ids, fmt.Sprint(i))
			h.deliver(ids[i], ids[i])
		}
		synctest.Wait()
		if b := h.backlog("t0"); b.Bytes > 4*objectSize || b.Unloaded < 15 {
			t.Errorf("while the retries wait: %+v", b)
		}
		failing.Store(false)
		advance(time.Hour)
		slices.Sort(ids)
		ran.wantAnyOrder(t, ids...)
		h.stop()
	})
}

// TestBudget_Debounce merges events whose data was dropped.
func TestBudget_Debounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran recorder
		h := objects{harness: start(t, engine.Options{QueueBytes: objectSize / 2}, triggerSpec{
			Policy: engine.Policy{Debounce: time.Minute},
			Action: actionFunc(func(_ context.Context, ev event.Event) error { ran.add(ev.ID + "=" + dataID(ev)); return nil }),
		})}
		for _, id := range []string{"1", "2", "3"} {
			h.deliver("k", id)
			synctest.Wait()
		}
		advance(time.Hour)
		ran.want(t, "3=3")
		h.wantDone("1", "2", "3")
		if b := h.backlog("t0"); b.Bytes != 0 || b.Unloaded != 0 {
			t.Errorf("after all events: %+v", b)
		}
		h.stop()
	})
}

// TestReload_Results covers each result of Reload.
func TestReload_Results(t *testing.T) {
	unavailable := errors.New("unavailable")
	gone := fmt.Errorf("c: %w", source.ErrGone)
	for name, tc := range map[string]struct {
		errs []error // of consecutive calls
		// subscribed is whether the trigger gets delete events.
		latest, subscribed bool
		outcomes           []engine.Outcome
		reasons            []string
	}{
		"exact":  {outcomes: []engine.Outcome{engine.Reloaded, engine.Succeeded}, reasons: []string{"", ""}},
		"latest": {latest: true, outcomes: []engine.Outcome{engine.Reloaded, engine.Succeeded}, reasons: []string{engine.ReasonLatestState, ""}},
		"gone, and the delete event follows": {
			errs: []error{gone}, subscribed: true,
			outcomes: []engine.Outcome{engine.Suppressed}, reasons: []string{engine.ReasonObjectGone},
		},
		"gone": {errs: []error{gone}, outcomes: []engine.Outcome{engine.DeadLettered}, reasons: []string{engine.ReasonObjectGone}},
		"failing once": {
			errs:     []error{unavailable},
			outcomes: []engine.Outcome{engine.Failed, engine.Reloaded, engine.Succeeded}, reasons: []string{engine.ReasonReload, "", ""},
		},
		"failing": {
			errs:     []error{unavailable, unavailable, unavailable},
			outcomes: []engine.Outcome{engine.Failed, engine.Failed, engine.DeadLettered}, reasons: []string{engine.ReasonReload, engine.ReasonReload, engine.ReasonReload},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran recorder
				var letters fakeDeadLetters
				retries := 2
				h := objects{harness: start(t, engine.Options{QueueBytes: 1, DeadLetters: &letters}, triggerSpec{
					Subscription: subscription{accepts: func(ev event.Event) bool { return ev.Type == event.Update || tc.subscribed }},
					Policy:       engine.Policy{Retry: engine.Retry{Limit: &retries}},
					Action:       actionFunc(func(_ context.Context, ev event.Event) error { ran.add(dataID(ev)); return nil }),
				})}
				h.reload = func(id string) (map[string]any, bool, error) {
					if n := int(h.reloads.Load()); n <= len(tc.errs) {
						return nil, false, tc.errs[n-1]
					}
					return object(id), tc.latest, nil
				}
				h.deliver("k", "1")
				advance(time.Hour)
				h.wantOutcomes("1", tc.outcomes...)
				var reasons []string
				for _, d := range h.decisionsOf("1") {
					reasons = append(reasons, d.Reason)
				}
				if !slices.Equal(reasons, tc.reasons) {
					t.Errorf("reasons %q, want %q", reasons, tc.reasons)
				}
				if slices.Contains(tc.outcomes, engine.Succeeded) {
					ran.want(t, "1")
				} else {
					ran.want(t)
				}
				for _, l := range letters.all() {
					if l.Omitted != store.OmittedSize || l.Event.Data["kind"] != "ConfigMap" || l.Event.Data["data"] != nil {
						t.Errorf("dead letter %+v", l)
					}
				}
				if want := slices.Contains(tc.outcomes, engine.DeadLettered); len(letters.all()) > 0 != want {
					t.Errorf("%d dead letters", len(letters.all()))
				}
				h.wantDone("1")
				if b := h.backlog("t0"); b.Bytes != 0 || b.Unloaded != 0 {
					t.Errorf("after the event: %+v", b)
				}
				h.stop()
			})
		})
	}
}
