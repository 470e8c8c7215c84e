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
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// byPrefix groups events by what is before the "-" in their key. Keys without one have
// no group; the group of "bad" fails.
type byPrefix struct{}

func (byPrefix) Group(_ context.Context, ev event.Event) (name string, ok bool, err error) {
	name, _, ok = strings.Cut(ev.Key, "-")
	if name == "bad" {
		return "", false, errors.New("not a string")
	}
	return name, ok, nil
}

// grouped is a trigger with groups and a window of ten seconds, and what its action got.
type grouped struct {
	*harness
	mu  sync.Mutex
	got []event.Event
}

func startGrouped(t *testing.T, spec triggerSpec) *grouped {
	g := &grouped{}
	spec.Grouping = byPrefix{}
	spec.Policy.Debounce = 10 * time.Second
	spec.Action = func(_ context.Context, ev event.Event) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.got = append(g.got, ev)
		return nil
	}
	g.harness = start(t, engine.Options{}, spec)
	return g
}

// want wants actions with these events, each with the objects of its batch.
func (g *grouped) want(t *testing.T, want ...string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	var got []string
	for _, ev := range g.got {
		var keys []string
		for _, item := range ev.Batch.Items {
			keys = append(keys, item.Key)
		}
		got = append(got, ev.ID+": "+strings.Join(keys, " "))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got actions %q, want %q", got, want)
	}
}

// TestGroup_Window has one action for the events of a group.
func TestGroup_Window(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startGrouped(t, triggerSpec{})
		g.deliver("web-1", "1")
		advance(time.Second)
		g.deliver("api-1", "2")
		g.deliver("web-2", "3")
		g.deliver("alone", "4")
		g.deliver("other", "5")
		advance(8 * time.Second)
		g.deliver("web-1", "6")
		g.want(t)
		advance(time.Second)
		g.want(t, "6: web-1 web-2")
		advance(time.Second)
		g.want(t, "2: api-1", "4: alone", "5: other", "6: web-1 web-2")
		g.wantDone("1", "2", "3", "4", "5", "6")
		g.deliver("web-3", "7") // starts the next window
		advance(10 * time.Second)
		g.want(t, "2: api-1", "4: alone", "5: other", "6: web-1 web-2", "7: web-3")
		g.stop()
	})
}

// TestGroup_Filter has events that do not match, first, in between and last: they are
// not part of the group.
func TestGroup_Filter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startGrouped(t, triggerSpec{Filter: filterFunc(func(_ context.Context, ev event.Event) (event.Verdict, error) {
			return event.Verdict{Match: !strings.HasPrefix(ev.ID, "no")}, nil
		})})
		for i, id := range []string{"no-1", "1", "no-2", "2", "no-3"} {
			g.deliver(fmt.Sprint("web-", i), id)
			advance(time.Second)
		}
		advance(10 * time.Second)
		g.want(t, "2: web-1 web-3")
		g.wantDone("no-1", "1", "no-2", "2", "no-3")
		for _, id := range []string{"no-1", "no-2", "no-3"} {
			g.wantOutcomes(id, engine.Filtered)
		}
		g.stop()
	})
}

// TestGroup_Fails dead-letters an event whose group cannot be computed.
func TestGroup_Fails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startGrouped(t, triggerSpec{})
		g.deliver("bad-1", "1")
		advance(0)
		g.wantOutcomes("1", engine.DeadLettered)
		if d := g.decisionsOf("1"); len(d) != 1 || d[0].Reason != engine.ReasonGroup {
			t.Errorf("decisions %+v", d)
		}
		g.stop()
	})
}

// TestGroup_Shutdown stops the engine within a window: none of its events is done.
func TestGroup_Shutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startGrouped(t, triggerSpec{})
		for i := range 20 {
			g.deliver(fmt.Sprint("web-", i), fmt.Sprint(i))
		}
		advance(5 * time.Second)
		g.stop()
		g.want(t)
		g.wantDone()
	})
}

// TestGroup_Large has more objects in a group than slots, and than its batch lists.
func TestGroup_Large(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startGrouped(t, triggerSpec{Policy: engine.Policy{QueueSize: 20}})
		var ids []string
		for i := range 500 {
			ids = append(ids, fmt.Sprint(i))
			g.deliver(fmt.Sprint("web-", i), ids[i])
			synctest.Wait()
		}
		advance(10 * time.Second)
		g.wantDone(ids...)
		if len(g.got) != 1 || len(g.got[0].Batch.Items) != event.MaxBatch || g.got[0].Batch.More != 400 {
			t.Errorf("%d actions; the first has batch %+v", len(g.got), g.got[0].Batch)
		}
		g.stop()
	})
}

// TestGroup_Old keeps context.old of the object of the last event only.
func TestGroup_Old(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := startGrouped(t, triggerSpec{})
		for i, key := range []string{"web-1", "web-2"} {
			ev := event.Event{Type: event.Update, Key: key, ID: key, Old: map[string]any{"of": key}}
			if i == 0 {
				ev.Type, ev.Old = event.Create, nil
			}
			if err := g.sink.Deliver(t.Context(), ev, source.Delivery{Done: func() {}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		advance(10 * time.Second)
		if len(g.got) != 1 || g.got[0].Type != event.Update || g.got[0].Old["of"] != "web-2" {
			t.Errorf("got %+v", g.got)
		}
		g.stop()
	})
}

// TestGroup_OwnWrites leaves events that the trigger caused out of a group.
func TestGroup_OwnWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		close(ready)
		g := startGrouped(t, triggerSpec{LoopDetector: fakeLoopDetector{ready}})
		g.deliver("web-1", "foreign-1")
		g.deliver("web-2", "own-2")
		advance(10 * time.Second)
		g.want(t, "foreign-1: web-1")
		g.wantOutcomes("own-2", engine.Suppressed)
		g.stop()
	})
}
