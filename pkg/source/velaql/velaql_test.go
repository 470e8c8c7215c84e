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

package velaql_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// properties are those of a trigger that looks every 10 s.
func properties(more ...string) map[string]any {
	events := []any{"update"}
	for _, e := range more {
		events = append(events, e)
	}
	return map[string]any{"view": "pods", "interval": "10s", "events": events}
}

// TestChanges fires for each change of the result, once, and with the one before.
func TestChanges(t *testing.T) {
	for _, tc := range []struct {
		name string
		more []string
		want []string
	}{
		{"update", nil, []string{"update a→b", "update b→a"}},
		{"sync", []string{"sync"}, []string{"sync →a", "update a→b", "update b→a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, path string) {
				var r recorder
				v := &fakeView{result: "a"}
				p := start(t, path, options(v), properties(tc.more...), r.deliver)
				time.Sleep(25 * time.Second)
				v.set("b", nil)
				time.Sleep(25 * time.Second)
				v.set("a", nil)
				time.Sleep(time.Minute)
				p.stop()
				// What is the same after a restart is no change.
				p = start(t, path, options(v), properties(tc.more...), r.deliver)
				time.Sleep(time.Minute)
				p.stop()
				if diff := cmp.Diff(tc.want, r.drain()); diff != "" {
					t.Error(diff)
				}
				if n := v.count(); n < 15 || n > 20 {
					t.Errorf("evaluated %d times in 170 s", n)
				}
			})
		})
	}
}

// TestRestart: what changed meanwhile is one change, and what was being handled is
// handled again.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: "a"}
		p := start(t, path, options(v), properties(), r.deliver)
		synctest.Wait()
		p.stop()
		v.set("b", nil)
		v.set("c", nil)
		p = start(t, path, options(v), properties(), r.deliver)
		time.Sleep(time.Second)
		p.stop()
		if diff := cmp.Diff([]string{"update a→c"}, r.drain()); diff != "" {
			t.Error(diff)
		}
		v.set("d", nil)
		p = start(t, path, options(v), properties(), r.hold)
		synctest.Wait()
		p.kill()
		id := r.events[0].ID
		p = start(t, path, options(v), properties(), r.deliver)
		time.Sleep(time.Second)
		p.stop()
		if again := r.events[1].ID; again != id {
			t.Errorf("handled again as %s, was %s", again, id)
		}
		p = start(t, path, options(v), properties(), r.deliver)
		time.Sleep(time.Second)
		p.stop()
		if diff := cmp.Diff([]string{"update c→d", "update c→d"}, r.drain()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFromNow leaves out what changed while nothing ran.
func TestFromNow(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: "a"}
		p := start(t, path, options(v), properties(), r.deliver)
		synctest.Wait()
		p.stop()
		v.set("b", nil)
		o := options(v)
		o.FromNow = true
		p = start(t, path, o, properties(), r.deliver)
		time.Sleep(time.Second)
		v.set("c", nil)
		time.Sleep(time.Minute)
		p.stop()
		if diff := cmp.Diff([]string{"update b→c"}, r.drain()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFailures are told, and are no change.
func TestFailures(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: "a"}
		var told []string
		o := options(v)
		o.OnStatus = func(_ string, why error) {
			text := "works"
			if why != nil {
				text = why.Error()
			}
			if len(told) == 0 || told[len(told)-1] != text {
				told = append(told, text)
			}
		}
		p := start(t, path, o, properties(), r.deliver)
		time.Sleep(15 * time.Second)
		v.set(nil, errors.New("forbidden"))
		time.Sleep(time.Minute)
		v.set("a", nil)
		time.Sleep(time.Minute)
		v.set("b", nil)
		time.Sleep(time.Minute)
		p.stop()
		if diff := cmp.Diff([]string{"works", "forbidden", "works"}, told); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"update a→b"}, r.drain()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestEndless: an evaluation that does not end is told, is the only one, and once it
// has ended all goes on.
func TestEndless(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: "a"}
		var why error
		o := options(v)
		o.OnStatus = func(_ string, err error) { why = err }
		p := start(t, path, o, properties(), r.deliver)
		synctest.Wait()
		tokens := make(chan struct{})
		v.mu.Lock()
		v.result, v.tokens = "b", tokens
		v.mu.Unlock()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := v.count(); n != 2 || why == nil || !strings.Contains(why.Error(), "does not end") {
			t.Errorf("evaluated %d times, and told %v", n, why)
		}
		close(tokens)
		time.Sleep(time.Minute)
		p.stop()
		if diff := cmp.Diff([]string{"update a→b"}, r.drain()); diff != "" || why != nil {
			t.Error(diff, why)
		}
	})
}

// TestFailedDelivery: Run that is called again delivers what was not taken.
func TestFailedDelivery(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: "a"}
		failures := 3
		p := start(t, path, options(v), properties(), func(ctx context.Context, ev event.Event, done func()) error {
			if failures--; failures >= 0 {
				return errors.New("full")
			}
			return r.deliver(ctx, ev, done)
		})
		synctest.Wait()
		v.set("b", nil)
		time.Sleep(time.Minute)
		p.stop()
		if diff := cmp.Diff([]string{"update a→b"}, r.drain()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestLargeResults are not stored: what they were is not known after a restart, but
// that they changed is.
func TestLargeResults(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var old []int
		sink := func(_ context.Context, ev event.Event, done func()) error {
			text, _ := ev.Old["result"].(string)
			old = append(old, len(text))
			done()
			return nil
		}
		results := []int{10, velaql.MaxOldBytes - 2, velaql.MaxOldBytes - 1, 5000, 20}
		for _, size := range results {
			v := &fakeView{result: strings.Repeat("x", size)}
			p := start(t, path, options(v), properties(), sink)
			time.Sleep(time.Second)
			p.stop()
		}
		if diff := cmp.Diff([]int{10, velaql.MaxOldBytes - 2, 0, 5000}, old); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEvent(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: map[string]any{"n": int64(1)}}
		p := start(t, path, options(v), properties("sync"), r.deliver)
		synctest.Wait()
		at := time.Now()
		p.stop()
		if len(r.events) != 1 {
			t.Fatalf("got %v", r.events)
		}
		key := compile(t, options(v), properties("sync")).Key()
		want := event.Event{
			Source: "velaql", Type: "sync", ID: key + "@946684800-2bfd14f43d17", Key: "default/pods", Time: at,
			Data: map[string]any{"view": "pods", "result": map[string]any{"n": int64(1)}},
		}
		if diff := cmp.Diff(want, r.events[0]); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPrune forgets queries that no trigger has, and nothing of others.
func TestPrune(t *testing.T) {
	st, err := file.Open(t.Context(), t.TempDir()+"/store.db", file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	used := compile(t, options(&fakeView{}), properties())
	unused := compile(t, options(&fakeView{}), map[string]any{"view": "others"})
	for _, name := range []string{used.Key(), unused.Key(), "x resource-watcher:v1/Pod"} {
		if err := st.Save(t.Context(), name, store.Change{Watermark: &store.Watermark{Position: "1 x"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := velaql.Prune(t.Context(), st, []source.Subscription{used}); err != nil {
		t.Fatal(err)
	}
	left, err := st.Watches(t.Context())
	if diff := cmp.Diff([]string{used.Key(), "x resource-watcher:v1/Pod"}, left); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
