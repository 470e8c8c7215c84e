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
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// A stream that is cut is resumed, without lost or repeated events.
func TestInterruption_StreamCut(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, e.properties(""))
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("cm-%02d", i)
		e.create(name, nil)
		want = append(want, "create "+name)
		switch i % 10 {
		case 3:
			h.transport.cutStreams(io.EOF)
		case 6:
			h.transport.cutStreams(io.ErrUnexpectedEOF)
		case 9:
			h.transport.cutStreams(errors.New("broken in an object"))
		}
	}
	e.want(h.waitForEvents(60), want...)
	if n := h.transport.listedPages(); n != 1 {
		t.Errorf("listed %d pages, want only those of the initial list", n)
	}
}

// The next Run resumes where the last one stopped.
func TestInterruption_NextRun(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, e.properties(""))
	e.create("a", nil)
	h.waitForEvents(1)
	h.stop()
	e.update("a", `{"data": {"n": "1"}}`)
	e.create("b", nil)
	h.run()
	e.want(h.waitForEvents(3), "create a", "update a", "create b")
	if n := h.transport.listedPages(); n != 1 {
		t.Errorf("listed %d pages, want only those of the initial list", n)
	}
}

// The log has the number of pending events when a watch stops.
func TestInterruption_PendingLogged(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, e.properties(""))
	done := e.create("a", nil)
	h.waitForEvents(1)
	h.mu.Lock()
	h.undone = true
	h.mu.Unlock()
	e.create("b", nil)
	reached := e.create("c", nil)
	h.waitForEvents(3)
	h.stop()
	want := fmt.Sprintf(`"committed"=%q "pending"=2`, done.ResourceVersion)
	if !h.logged(want) {
		t.Errorf("no %s, with the watch at %s, in %v", want, reached.ResourceVersion, h.lines)
	}
}

// An event that the engine did not accept is delivered again.
func TestInterruption_Redelivery(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, e.properties(""))
	h.mu.Lock()
	h.gate = make(chan struct{})
	h.mu.Unlock()
	e.create("a", nil)
	e.create("b", nil)
	h.stop()
	if got := h.received(); len(got) != 0 {
		t.Fatalf("delivered although the gate is closed: %v", brief(got))
	}
	close(h.gate)
	h.run()
	e.want(h.waitForEvents(2), "create a", "create b")
}

// Objects that the API server repeats or sends unchanged are not events.
func TestInterruption_Unchanged(t *testing.T) {
	e := newEnv(t)
	h := newHarness(t, e.config, e.properties(""))
	known := e.create("known", nil)
	object := func(kind, rv string) string {
		return fmt.Sprintf(`{"type": %q, "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "known", "namespace": %q, "uid": %q, "resourceVersion": %q}}}`+"\n",
			kind, e.namespace, known.UID, rv)
	}
	h.transport.respondNext(true, http.StatusOK,
		object("ADDED", known.ResourceVersion)+object("MODIFIED", known.ResourceVersion)+object("MODIFIED", "1")+
			strings.Replace(object("DELETED", known.ResourceVersion), string(known.UID), "another", 1)+
			object("BOOKMARK", known.ResourceVersion))
	h.run()
	if rv := h.waitForWatch(); rv != known.ResourceVersion {
		t.Errorf("the watch resumed from %s, want the bookmark's %s", rv, known.ResourceVersion)
	}
	e.create("last", nil)
	e.want(h.waitForEvents(1), "create last")
}

// The API server has several errors for history that it does not have.
func TestInterruption_HistoryGone(t *testing.T) {
	const status = `{"kind": "Status", "apiVersion": "v1", "status": "Failure", `
	for _, tc := range []struct {
		name string
		code int
		body string
	}{
		{"response", http.StatusGone, status + `"reason": "Expired", "code": 410}`},
		{"stream-expired", http.StatusOK, `{"type": "ERROR", "object": ` + status + `"reason": "Expired", "code": 410}}`},
		{"stream-gone", http.StatusOK, `{"type": "ERROR", "object": ` + status + `"reason": "Gone", "code": 410}}`},
		{"stream-too-large", http.StatusOK, `{"type": "ERROR", "object": ` + status + `"reason": "Timeout", "code": 504,
			"details": {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEnv(t)
			e.create("a", nil)
			h := newHarness(t, e.config, e.properties(""))
			h.transport.respondNext(true, tc.code, tc.body)
			h.run()
			h.waitForWatch()
			if n := h.transport.listedPages(); n != 2 {
				t.Errorf("listed %d times, want the initial list and one relist", n)
			}
			e.create("b", nil)
			e.want(h.waitForEvents(1), "create b")
		})
	}
}

// A list that expires between two pages is repeated, without repeated sync events.
func TestInterruption_ListExpires(t *testing.T) {
	e := newEnv(t)
	for i := range 4 {
		e.create(fmt.Sprintf("cm-%d", i), nil)
	}
	h := newHarness(t, e.config, e.properties(`, "events": ["sync"]`), func(o *resource.Options) { o.PageSize = 2 })
	h.gate = make(chan struct{})
	h.run()
	eventually(t, func() bool { return h.transport.listedPages() == 3 })
	h.transport.respondNext(false, http.StatusGone,
		`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}`)
	close(h.gate)
	h.waitForWatch()
	e.want(h.waitForEvents(4), "sync cm-0", "sync cm-1", "sync cm-2", "sync cm-3")
	if n := h.transport.listedPages(); n != 6 {
		t.Errorf("requested %d pages, want 2 of metadata, 2 of objects, of which one fails, and 2 more", n)
	}
}

// After the history expired, exactly the differences are delivered.
func TestInterruption_Expired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	for _, name := range []string{"kept", "changed", "replaced", "removed"} {
		e.create(name, nil)
	}
	h := startHarness(t, e.config, e.properties(""), func(o *resource.Options) { o.PageSize = 2 })
	e.update("kept", `{"data": {"n": "1"}}`)
	removed, err := e.client.CoreV1().ConfigMaps(e.namespace).Get(t.Context(), "removed", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.waitForEvents(1)
	h.stop()

	e.update("changed", `{"data": {"n": "1"}}`)
	e.update("changed", `{"data": {"n": "2"}}`)
	e.delete("replaced")
	e.create("replaced", nil)
	e.delete("removed")
	e.create("added", nil)
	e.create("fleeting", nil)
	e.delete("fleeting")
	c.Expire(t)

	h.run()
	for rv := h.waitForWatch(); ; rv = h.waitForWatch() {
		if got := h.received(); len(got) >= 6 {
			break
		}
		t.Logf("watch from %s", rv)
	}
	e.create("last", nil)
	got := h.waitForEvents(7)
	e.want(got, "update kept", "create added", "update changed", "delete replaced", "create replaced", "delete removed", "create last")
	want := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "removed", "namespace": e.namespace, "uid": string(removed.UID)},
	}
	if diff := cmp.Diff(want, got[5].Data); diff != "" {
		t.Error(diff)
	}
	if want := string(removed.UID) + "@" + removed.ResourceVersion + "/delete"; got[5].ID != want {
		t.Errorf("ID %q, want %q", got[5].ID, want)
	}
	if n := got[2].Data["data"].(map[string]any)["n"]; n != "2" {
		t.Errorf("the changed object has n=%v, want the latest state", n)
	}
}

// After a restore of etcd, the differences to the older state are delivered.
func TestInterruption_EtcdRestored(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	for _, name := range []string{"kept", "changed", "removed"} {
		e.create(name, nil)
	}
	c.Snapshot(t, "before")
	h := startHarness(t, e.config, e.properties(""))
	e.update("changed", `{"data": {"n": "1"}}`)
	e.delete("removed")
	e.create("added", nil)
	for range 10 {
		e.update("added", `{"metadata": {"labels": {"a": "b"}}}`)
		e.update("added", `{"metadata": {"labels": null}}`)
	}
	h.waitForEvents(23)
	h.stop()
	c.Restore(t, "before")
	h.run()
	h.waitForWatch()
	e.update("kept", `{"data": {"n": "1"}}`)
	e.want(h.waitForEvents(27)[23:], "update changed", "create removed", "delete added", "update kept")
}

// Run fails while the API server is down, and loses no event.
func TestInterruption_APIServerRestart(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	e := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	h := startHarness(t, e.config, e.properties(""))
	e.create("a", nil)
	h.waitForEvents(1)
	c.StopAPIServer(t)
	host := strings.TrimPrefix(e.config.Host, "https://")
	if err := h.waitForError(); !strings.Contains(err.Error(), host) {
		t.Errorf("error does not name the host: %v", err)
	}
	c.StartAPIServer(t)
	e.create("b", nil)
	h.run()
	e.want(h.waitForEvents(2), "create a", "create b")
}

// stoppingSaver calls stop, once, when the position of a list is saved.
type stoppingSaver struct {
	*storeSession
	once sync.Once
	stop func()
}

func (s *stoppingSaver) Save(name string, c store.Change) {
	s.storeSession.Save(name, c)
	if c.Cursor != nil && *c.Cursor > "0" {
		s.once.Do(s.stop)
	}
}

// A Run that is stopped at the end of the initial list is resumed: what happens until the
// next Run is an event.
func TestInterruption_StoppedAfterInitialList(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.create("old", nil)
	session, useSession := newFakeStore().newSession()
	saver := &stoppingSaver{storeSession: session}
	h := newHarness(t, e.config, e.properties(""), useSession, func(o *resource.Options) { o.Saver = saver })
	saver.stop = func() { h.cancel() }
	h.run()
	cluster.Receive(t, "the end of Run", h.ended)
	e.create("new", nil)
	e.delete("old")
	h.run()
	e.want(h.waitForEvents(2), "create new", "delete old")
}
