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
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// relisting returns a source that has the objects a, b and c in its inventory, is stopped, and lists
// all objects when it runs again.
func (e env) relisting() *harness {
	e.Helper()
	for _, name := range []string{"a", "b", "c"} {
		e.create(name, nil)
	}
	h := startHarness(e.T, e.config, e.properties(""), func(o *resource.Options) { o.PagedLists = false })
	h.stop()
	h.transport.respondNext(true, http.StatusGone, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}`)
	return h
}

func (h *harness) streamedLists() int {
	h.transport.mu.Lock()
	defer h.transport.mu.Unlock()
	return h.transport.streamed
}

// TestWatchList_Refused: if the API server refuses to stream a list, or ends it early, pages are
// listed. A refusal is remembered.
func TestWatchList_Refused(t *testing.T) {
	status := func(reason string, code int) string {
		return fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d}`, reason, code)
	}
	for name, tc := range map[string]struct {
		code    int
		body    string
		streams int // that are requested by two lists
	}{
		"400":             {http.StatusBadRequest, status("BadRequest", 400), 1},
		"403":             {http.StatusForbidden, status("Forbidden", 403), 2},
		"405":             {http.StatusMethodNotAllowed, status("MethodNotAllowed", 405), 1},
		"422":             {http.StatusUnprocessableEntity, status("Invalid", 422), 1},
		"error in stream": {http.StatusOK, `{"type": "ERROR", "object": ` + status("Invalid", 422) + `}`, 1},
		"no end":          {http.StatusOK, "", 2},
		"plain bookmark":  {http.StatusOK, `{"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"resourceVersion": "1"}}}`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			h := e.relisting()
			h.transport.respondNext(false, tc.code, tc.body)
			// The first request other than a watch is that for the version of the API server.
			h.transport.skip = 1
			e.update("a", `{"data": {"n": "1"}}`)
			e.delete("b")
			e.create("d", nil)
			h.run()
			e.want(h.waitForEvents(3), "update a", "create d", "delete b")
			h.waitForWatch()
			h.stop()
			h.transport.respondNext(true, http.StatusGone, status("Expired", 410))
			e.update("c", `{"data": {"n": "1"}}`)
			h.run()
			e.want(h.waitForEvents(4)[3:], "update c")
			h.waitForWatch()
			if n := h.streamedLists(); n != tc.streams {
				t.Errorf("%d streams were requested, want %d", n, tc.streams)
			}
		})
	}
}

// TestWatchList_Changes: objects that change while the list is streamed have their last state, and
// those that are deleted are gone.
func TestWatchList_Changes(t *testing.T) {
	e := newEnv(t)
	h := e.relisting()
	object := func(kind, name, version string) string {
		o, err := e.client.CoreV1().ConfigMaps(e.namespace).Get(t.Context(), name, getOptions())
		if err != nil {
			t.Fatal(err)
		}
		if version == "" {
			version = o.ResourceVersion
		}
		return fmt.Sprintf(`{"type": %q, "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": %q, "namespace": %q, "uid": %q, "resourceVersion": %q}}}`+"\n",
			kind, name, e.namespace, o.UID, version)
	}
	d := e.create("d", nil)
	newer := e.update("a", `{"data": {"n": "1"}}`)
	body := object("ADDED", "a", "") + object("ADDED", "b", "") + object("ADDED", "d", "") +
		object("MODIFIED", "a", newer.ResourceVersion+"0") + object("DELETED", "b", newer.ResourceVersion+"1") + object("DELETED", "d", newer.ResourceVersion+"2") +
		fmt.Sprintf(`{"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"resourceVersion": %q, "annotations": {"k8s.io/initial-events-end": "true"}}}}`, newer.ResourceVersion)
	h.transport.respondNext(false, http.StatusOK, body)
	h.transport.skip = 1
	h.run()
	e.want(h.waitForEvents(6), "update a", "create d", "update a", "delete b", "delete c", "delete d")
	if rv := h.waitForWatch(); rv != newer.ResourceVersion {
		t.Errorf("watches from %s, want %s, after %s", rv, newer.ResourceVersion, d.ResourceVersion)
	}
}

// TestWatchList_EndsEarly: an object of a stream that ends early, and that is gone when pages are
// listed, is deleted.
func TestWatchList_EndsEarly(t *testing.T) {
	e := newEnv(t)
	h := e.relisting()
	h.transport.respondNext(false, http.StatusOK, fmt.Sprintf(`{"type": "ADDED", "object": {"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": {"name": "fleeting", "namespace": %q, "uid": "u", "resourceVersion": "1"}}}
		{"type": "DELETED", "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "unknown", "namespace": %[1]q, "uid": "v", "resourceVersion": "1"}}}`, e.namespace))
	h.transport.skip = 1
	h.run()
	h.waitForWatch()
	e.want(h.waitForEvents(2), "create fleeting", "delete fleeting")
}

// TestWatchList_Initial: the initial list of a watch that compares fields is streamed, or has pages.
func TestWatchList_Initial(t *testing.T) {
	for _, paged := range []bool{false, true} {
		e := newEnv(t)
		e.create("a", nil)
		spec := e.trigger("t", "")
		spec.trigger.Old = references(t, "context.old.data")
		h := newSharedHarness(t, e.config, []triggerSpec{spec}, func(o *resource.Options) { o.PagedLists = paged })
		h.run()
		h.waitForWatch()
		e.update("a", `{"data": {"n": "1"}}`)
		got := h.waitForEvents(1)
		if before, _ := (source.Path{"data", "n"}).Lookup(got[0].Old); before != "0" || h.streamedLists() > 0 == paged {
			t.Errorf("paged: %v: before %v, %d streams", paged, before, h.streamedLists())
		}
		if strings.Contains(fmt.Sprint(got[0].Data), "managedFields") {
			t.Error("has managed fields")
		}
	}
}
