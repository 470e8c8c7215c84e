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

	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source/velaql"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// properties returns the properties of a trigger that evaluates every 10 s and
// subscribes to update and the given events.
func properties(more ...string) map[string]any {
	events := []any{"update"}
	for _, e := range more {
		events = append(events, e)
	}
	return map[string]any{"view": "pods", "interval": "10s", "events": events}
}

// TestPoller_Changes emits one event for each change of the result, with the previous
// result.
func TestPoller_Changes(t *testing.T) {
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
				// An equal result after a restart is no change.
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

// TestPoller_Restart emits one event for all changes while the process was down, and
// delivers an event again that was not acknowledged.
func TestPoller_Restart(t *testing.T) {
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
			t.Errorf("delivered again as %s, was %s", again, id)
		}
		p = start(t, path, options(v), properties(), r.deliver)
		time.Sleep(time.Second)
		p.stop()
		if diff := cmp.Diff([]string{"update c→d", "update c→d"}, r.drain()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPoller_FromNow discards changes while no process ran.
func TestPoller_FromNow(t *testing.T) {
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

// TestPoller_EvaluationFails reports failures and emits no event for them.
func TestPoller_EvaluationFails(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: "a"}
		var statuses []string
		o := options(v)
		o.OnStatus = func(_ string, err error) {
			text := "works"
			if err != nil {
				text = err.Error()
			}
			if len(statuses) == 0 || statuses[len(statuses)-1] != text {
				statuses = append(statuses, text)
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
		if diff := cmp.Diff([]string{"works", "forbidden", "works"}, statuses); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"update a→b"}, r.drain()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPoller_EvaluationHangs reports an evaluation that does not end, starts no other
// one, and continues after it has ended.
func TestPoller_EvaluationHangs(t *testing.T) {
	bubble(t, func(t *testing.T, path string) {
		var r recorder
		v := &fakeView{result: "a"}
		var status error
		o := options(v)
		o.OnStatus = func(_ string, err error) { status = err }
		p := start(t, path, o, properties(), r.deliver)
		synctest.Wait()
		tokens := make(chan struct{})
		v.mu.Lock()
		v.result, v.tokens = "b", tokens
		v.mu.Unlock()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := v.count(); n != 2 || status == nil || !strings.Contains(status.Error(), "previous evaluation of the view is still running") {
			t.Errorf("evaluated %d times, status %v", n, status)
		}
		close(tokens)
		time.Sleep(time.Minute)
		p.stop()
		if diff := cmp.Diff([]string{"update a→b"}, r.drain()); diff != "" || status != nil {
			t.Error(diff, status)
		}
	})
}

// TestPoller_RunAgain delivers an event that the engine did not take when Run is called
// again.
func TestPoller_RunAgain(t *testing.T) {
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

// TestCheckpoint_LargeResult: a result above MaxOldBytes is not saved. After a restart its
// change is detected, without Old.
func TestCheckpoint_LargeResult(t *testing.T) {
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
		now := time.Now()
		p.stop()
		if len(r.events) != 1 {
			t.Fatalf("got %v", r.events)
		}
		key := compile(t, options(v), properties("sync")).Key()
		want := event.Event{
			Source: "velaql", Type: "sync", ID: key + "@946684800-2bfd14f43d17", Key: "default/pods", Time: now,
			Data: map[string]any{"view": "pods", "result": map[string]any{"n": int64(1)}},
		}
		if diff := cmp.Diff(want, r.events[0]); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPrune deletes all checkpoints but that of the query.
func TestPrune(t *testing.T) {
	st, err := file.Open(t.Context(), t.TempDir()+"/store.db", file.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	used := compile(t, options(&fakeView{}), properties())
	unused := compile(t, options(&fakeView{}), map[string]any{"view": "others"})
	for _, name := range []string{used.Key(), unused.Key(), "x resource-watcher:v1/Pod"} {
		if err := st.Checkpoints().Save(t.Context(), name, store.Change{Cursor: ptr.To("1 x")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Prune(t.Context(), st, used.UsesCheckpoint); err != nil {
		t.Fatal(err)
	}
	remaining, err := st.Checkpoints().List(t.Context())
	if diff := cmp.Diff([]string{used.Key()}, remaining); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
