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

package resource_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// delivered returns the events and deliveries so far.
func (h *harness) delivered() ([]event.Event, []source.Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]event.Event{}, h.events...), append([]source.Delivery{}, h.deliveries...)
}

// TestReload_Exact: while the API server has the history, the data of each event is read
// again as it was, whatever happened to the object since.
func TestReload_Exact(t *testing.T) {
	e := newEnv(t)
	e.create("existing", map[string]string{"app": "web"})
	h := startHarness(t, e.config, e.properties(`, "labelSelector": {"matchLabels": {"app": "web"}}, "events": ["create", "update", "delete", "sync"]`))
	h.waitForEvents(1)
	e.create("c", map[string]string{"app": "web"})
	for _, n := range []string{"1", "2", "3"} {
		e.update("c", `{"data": {"n": "`+n+`"}}`)
	}
	e.update("c", `{"metadata": {"labels": {"app": "other"}}, "data": {"n": "4"}}`) // no longer matches
	e.update("c", `{"metadata": {"labels": {"app": "web"}}}`)
	h.waitForEvents(7)
	e.delete("c")
	e.create("c", map[string]string{"app": "web"})
	e.delete("existing")
	h.waitForEvents(10)

	events, deliveries := h.delivered()
	e.want(events, "sync existing", "create c", "update c", "update c", "update c", "delete c", "create c", "delete c", "create c", "delete existing")
	for i, ev := range events {
		data, latest, err := deliveries[i].Reload(t.Context())
		if err != nil || latest {
			t.Errorf("%s %s: latest=%v, error %v", ev.Type, ev.ID, latest, err)
		}
		if diff := cmp.Diff(ev.Data, data); diff != "" {
			t.Errorf("%s %s: (-event +read again)\n%s", ev.Type, ev.ID, diff)
		}
	}
}

// TestReload_HistoryGone compacts etcd before the data is read again.
func TestReload_HistoryGone(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	h := startHarness(t, e.config, e.properties(""))
	e.create("kept", nil)
	e.update("kept", `{"data": {"n": "1"}}`)
	e.create("removed", nil)
	e.create("replaced", nil)
	e.delete("removed")
	e.delete("replaced")
	e.create("replaced", nil)
	e.update("kept", `{"data": {"n": "2"}}`)
	h.waitForEvents(8)
	events, deliveries := h.delivered()
	c.Expire(t)

	type result struct {
		Data   map[string]any
		Latest bool
		Gone   bool
	}
	identity := func(ev event.Event) map[string]any {
		metadata := ev.Data["metadata"].(map[string]any)
		return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
			"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
		}}
	}
	kept := events[7].Data
	want := []result{
		{Data: kept, Latest: true},                // create kept
		{Data: kept, Latest: true},                // update kept
		{Gone: true},                              // create removed
		{Gone: true},                              // create replaced
		{Data: identity(events[4]), Latest: true}, // delete removed
		{Data: identity(events[5]), Latest: true}, // delete replaced
		{Data: events[6].Data},                    // create replaced
		{Data: kept},                              // update kept, at the revision of the compaction
	}
	e.want(events, "create kept", "update kept", "create removed", "create replaced", "delete removed", "delete replaced", "create replaced", "update kept")
	for i, ev := range events {
		data, latest, err := deliveries[i].Reload(t.Context())
		gone := errors.Is(err, source.ErrGone)
		if err != nil && !gone {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], result{data, latest, gone}); diff != "" {
			t.Errorf("%s %s: %s", ev.Type, ev.ID, diff)
		}
	}
}

// TestReload_Unavailable: an API server that does not answer is an error, and the object
// is not gone.
func TestReload_Unavailable(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, e.properties(""))
	e.create("c", nil)
	h.waitForEvents(1)
	_, deliveries := h.delivered()
	h.transport.respondNext(false, 403, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"}`)
	if _, _, err := deliveries[0].Reload(t.Context()); err == nil || errors.Is(err, source.ErrGone) {
		t.Errorf("got %v", err)
	}
	h.stop()
	if _, latest, err := deliveries[0].Reload(t.Context()); err != nil || latest {
		t.Errorf("after the watch has stopped: latest=%v, error %v", latest, err)
	}
}
