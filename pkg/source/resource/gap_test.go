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
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// A stream that ends at any place is taken up again, without loss or repeat.
func TestStreamsAreCut(t *testing.T) {
	b := newEnv(t)
	r := startHarness(t, b.config, b.properties(""))
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("cm-%02d", i)
		b.create(name, nil)
		want = append(want, "create "+name)
		switch i % 10 {
		case 3:
			r.transport.cutStreams(io.EOF)
		case 6:
			r.transport.cutStreams(io.ErrUnexpectedEOF)
		case 9:
			r.transport.cutStreams(errors.New("broken in an object"))
		}
	}
	b.want(r.waitForEvents(60), want...)
	if n := r.transport.listedPages(); n != 1 {
		t.Errorf("listed %d pages, want those of the first start", n)
	}
}

// A Run that ended is taken up by the next one.
func TestRunAgain(t *testing.T) {
	b := newEnv(t)
	r := startHarness(t, b.config, b.properties(""))
	b.create("a", nil)
	r.waitForEvents(1)
	r.stop()
	b.update("a", `{"data": {"n": "1"}}`)
	b.create("b", nil)
	r.run()
	b.want(r.waitForEvents(3), "create a", "update a", "create b")
	if n := r.transport.listedPages(); n != 1 {
		t.Errorf("listed %d pages, want those of the first start", n)
	}
}

// What was delivered but is not done is known when a watch stops.
func TestUndoneIsKnown(t *testing.T) {
	b := newEnv(t)
	r := startHarness(t, b.config, b.properties(""))
	done := b.create("a", nil)
	r.waitForEvents(1)
	r.mu.Lock()
	r.undone = true
	r.mu.Unlock()
	b.create("b", nil)
	reached := b.create("c", nil)
	r.waitForEvents(3)
	r.stop()
	want := fmt.Sprintf(`"done"=%q "undone"=2`, done.ResourceVersion)
	if !r.logged(want) {
		t.Errorf("no %s, with the watch at %s, in %v", want, reached.ResourceVersion, r.lines)
	}
}

// An event that the engine did not take is delivered again.
func TestUndeliveredIsDeliveredAgain(t *testing.T) {
	b := newEnv(t)
	r := startHarness(t, b.config, b.properties(""))
	r.mu.Lock()
	r.gate = make(chan struct{})
	r.mu.Unlock()
	b.create("a", nil)
	b.create("b", nil)
	r.stop()
	if got := r.received(); len(got) != 0 {
		t.Fatalf("delivered through a closed gate: %v", brief(got))
	}
	close(r.gate)
	r.run()
	b.want(r.waitForEvents(2), "create a", "create b")
}

// What the API server repeats or sends unchanged is not an event.
func TestUnchangedIsNotAnEvent(t *testing.T) {
	b := newEnv(t)
	r := newHarness(t, b.config, b.properties(""))
	known := b.create("known", nil)
	object := func(kind, rv string) string {
		return fmt.Sprintf(`{"type": %q, "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "known", "namespace": %q, "uid": %q, "resourceVersion": %q}}}`+"\n",
			kind, b.namespace, known.UID, rv)
	}
	r.transport.respondNext(true, http.StatusOK,
		object("ADDED", known.ResourceVersion)+object("MODIFIED", known.ResourceVersion)+object("MODIFIED", "1")+
			strings.Replace(object("DELETED", known.ResourceVersion), string(known.UID), "another", 1)+
			object("BOOKMARK", known.ResourceVersion))
	r.run()
	if rv := r.waitForWatch(); rv != known.ResourceVersion {
		t.Errorf("the watch went on from %s, want the bookmark's %s", rv, known.ResourceVersion)
	}
	b.create("last", nil)
	b.want(r.waitForEvents(1), "create last")
}

// An API server says in several ways that it does not have the history.
func TestHistoryIsGone(t *testing.T) {
	const status = `{"kind": "Status", "apiVersion": "v1", "status": "Failure", `
	for _, tc := range []struct {
		name string
		code int
		body string
	}{
		{"answered", http.StatusGone, status + `"reason": "Expired", "code": 410}`},
		{"in the stream, expired", http.StatusOK, `{"type": "ERROR", "object": ` + status + `"reason": "Expired", "code": 410}}`},
		{"in the stream, gone", http.StatusOK, `{"type": "ERROR", "object": ` + status + `"reason": "Gone", "code": 410}}`},
		{"in the stream, too large", http.StatusOK, `{"type": "ERROR", "object": ` + status + `"reason": "Timeout", "code": 504,
			"details": {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newEnv(t)
			b.create("a", nil)
			r := newHarness(t, b.config, b.properties(""))
			r.transport.respondNext(true, tc.code, tc.body)
			r.run()
			r.waitForWatch()
			if n := r.transport.listedPages(); n != 2 {
				t.Errorf("listed %d times, want once at first and once for the history", n)
			}
			b.create("b", nil)
			b.want(r.waitForEvents(1), "create b")
		})
	}
}

// A list that takes longer than the API server keeps its state starts again,
// and announces nothing twice.
func TestListExpiresBetweenPages(t *testing.T) {
	b := newEnv(t)
	for i := range 4 {
		b.create(fmt.Sprintf("cm-%d", i), nil)
	}
	r := newHarness(t, b.config, b.properties(`, "events": ["sync"]`), func(o *resource.Options) { o.PageSize = 2 })
	r.gate = make(chan struct{})
	r.run()
	eventually(t, func() bool { return r.transport.listedPages() == 3 })
	r.transport.respondNext(false, http.StatusGone,
		`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}`)
	close(r.gate)
	r.waitForWatch()
	b.want(r.waitForEvents(4), "sync cm-0", "sync cm-1", "sync cm-2", "sync cm-3")
	if n := r.transport.listedPages(); n != 6 {
		t.Errorf("asked for %d pages, want two of names, two of objects, of which one failed, and two again", n)
	}
}

// Where the history is gone, exactly what happened meanwhile is told.
func TestExpired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	for _, name := range []string{"kept", "changed", "replaced", "removed"} {
		b.create(name, nil)
	}
	r := startHarness(t, b.config, b.properties(""), func(o *resource.Options) { o.PageSize = 2 })
	b.update("kept", `{"data": {"n": "1"}}`)
	removed, err := b.client.CoreV1().ConfigMaps(b.namespace).Get(t.Context(), "removed", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.waitForEvents(1)
	r.stop()

	b.update("changed", `{"data": {"n": "1"}}`)
	b.update("changed", `{"data": {"n": "2"}}`)
	b.delete("replaced")
	b.create("replaced", nil)
	b.delete("removed")
	b.create("added", nil)
	b.create("fleeting", nil)
	b.delete("fleeting")
	c.Expire(t)

	r.run()
	for rv := r.waitForWatch(); ; rv = r.waitForWatch() {
		if got := r.received(); len(got) >= 6 {
			break
		}
		t.Logf("watch from %s", rv)
	}
	b.create("last", nil)
	got := r.waitForEvents(7)
	b.want(got, "update kept", "create added", "update changed", "delete replaced", "create replaced", "delete removed", "create last")
	want := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "removed", "namespace": b.namespace, "uid": string(removed.UID)},
	}
	if diff := cmp.Diff(want, got[5].Data); diff != "" {
		t.Error(diff)
	}
	if want := string(removed.UID) + "@" + removed.ResourceVersion + "/delete"; got[5].ID != want {
		t.Errorf("ID %q, want %q", got[5].ID, want)
	}
	if n := got[2].Data["data"].(map[string]any)["n"]; n != "2" {
		t.Errorf("the changed object has state %v, want the last", n)
	}
}

// A restored etcd goes back in time: what that undid is told.
func TestRestored(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	for _, name := range []string{"kept", "changed", "removed"} {
		b.create(name, nil)
	}
	c.Snapshot(t, "before")
	r := startHarness(t, b.config, b.properties(""))
	b.update("changed", `{"data": {"n": "1"}}`)
	b.delete("removed")
	b.create("added", nil)
	for range 10 {
		b.update("added", `{"metadata": {"labels": {"a": "b"}}}`)
		b.update("added", `{"metadata": {"labels": null}}`)
	}
	r.waitForEvents(23)
	r.stop()
	c.Restore(t, "before")
	r.run()
	r.waitForWatch()
	b.update("kept", `{"data": {"n": "1"}}`)
	b.want(r.waitForEvents(27)[23:], "update changed", "create removed", "delete added", "update kept")
}

// The API server goes away under an established watch; the source fails while
// it is away, and misses nothing.
func TestAPIServerRestarts(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b := env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	r := startHarness(t, b.config, b.properties(""))
	b.create("a", nil)
	r.waitForEvents(1)
	c.StopAPIServer(t)
	host := strings.TrimPrefix(b.config.Host, "https://")
	if err := r.waitForError(); !strings.Contains(err.Error(), host) {
		t.Errorf("error does not name the host: %v", err)
	}
	c.StartAPIServer(t)
	b.create("b", nil)
	r.run()
	b.want(r.waitForEvents(2), "create a", "create b")
}
