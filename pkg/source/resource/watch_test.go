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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

func TestWatch_Order(t *testing.T) {
	e := newEnv(t)
	e.create("before", nil)
	h := startHarness(t, e.config, e.properties(""))
	created := e.create("a", nil)
	updated := e.update("a", `{"data": {"n": "1"}}`)
	e.update("before", `{"data": {"n": "1"}}`)
	e.delete("a")
	got := h.waitForEvents(4)
	e.want(got, "create a", "update a", "update before", "delete a")

	uid := string(created.UID)
	if got[0].ID != uid+"@"+created.ResourceVersion || got[1].ID != uid+"@"+updated.ResourceVersion {
		t.Errorf("IDs %q and %q", got[0].ID, got[1].ID)
	}
	if !strings.HasPrefix(got[3].ID, uid+"@") || !strings.HasSuffix(got[3].ID, "/delete") || got[3].ID == got[1].ID+"/delete" {
		t.Errorf("ID of the delete %q", got[3].ID)
	}
	if got[0].Source != resource.Type || h.deliveries[0].Writer != "creator" || h.deliveries[3].Writer != "" || got[0].Time.IsZero() {
		t.Errorf("got %+v", got[0])
	}
	metadata := got[1].Data["metadata"].(map[string]any)
	if _, has := metadata["managedFields"]; has {
		t.Error("Data has managed fields")
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"n": "1"},
		"metadata": map[string]any{
			"name": "a", "namespace": e.namespace, "uid": uid, "resourceVersion": updated.ResourceVersion,
			"creationTimestamp": created.CreationTimestamp.UTC().Format(time.RFC3339),
		},
	}
	if diff := cmp.Diff(want, got[1].Data); diff != "" {
		t.Error(diff)
	}
}

func TestWatch_Numbers(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Service", "namespace": %q}`, e.namespace))
	_, err := e.client.CoreV1().Services(e.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "s"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ports := h.waitForEvents(1)[0].Data["spec"].(map[string]any)["ports"].([]any)
	if port := ports[0].(map[string]any)["port"]; port != int64(80) {
		t.Errorf("port is %T %v", port, port)
	}
}

func TestSync_Pages(t *testing.T) {
	e := newEnv(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("cm-%d", i)
		e.create(name, nil)
		want = append(want, "sync "+name)
	}
	small := func(o *resource.Options) { o.PageSize = 3 }
	h := startHarness(t, e.config, e.properties(`, "events": ["sync"]`), small)
	got := h.waitForEvents(7)
	e.want(got, want...)
	if got[0].Data["kind"] != "ConfigMap" || got[0].Data["apiVersion"] != "v1" {
		t.Errorf("a listed object has no kind: %v", got[0].Data)
	}
	e.create("new", nil)
	e.update("cm-3", `{"data": {"n": "1"}}`)
	e.want(h.waitForEvents(9)[7:], "create new", "update cm-3")
	if h.transport.listedPages() != 6 {
		t.Errorf("%d pages for 7 objects of page size 3, listed twice", h.transport.listedPages())
	}
}

// A sync that is interrupted is continued without repeated events.
func TestSync_Interrupted(t *testing.T) {
	e := newEnv(t)
	for i := range 4 {
		e.create(fmt.Sprintf("cm-%d", i), nil)
	}
	h := newHarness(t, e.config, e.properties(`, "events": ["sync"]`), func(o *resource.Options) { o.PageSize = 2 })
	h.gate = make(chan struct{}, 3)
	for range 3 {
		h.gate <- struct{}{}
	}
	h.run()
	h.waitForEvents(3)
	h.stop()
	e.update("cm-0", `{"data": {"n": "1"}}`)
	e.delete("cm-1")
	h.mu.Lock()
	close(h.gate)
	h.mu.Unlock()
	h.run()
	h.waitForWatch()
	e.want(h.waitForEvents(6), "sync cm-0", "sync cm-1", "sync cm-2", "sync cm-3", "update cm-0", "delete cm-1")
}

func TestWatch_Pages(t *testing.T) {
	e := newEnv(t)
	for i := range 300 {
		e.create(fmt.Sprintf("cm-%03d", i), nil)
	}
	h := startHarness(t, e.config, e.properties(""), func(o *resource.Options) { o.PageSize = 50 })
	if h.transport.listedPages() != 7 { // the first page has 16 objects
		t.Errorf("%d pages for 300 objects of page size 50", h.transport.listedPages())
	}
	for i := range 300 {
		e.update(fmt.Sprintf("cm-%03d", i), `{"data": {"n": "1"}}`)
	}
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("update cm-%03d", i))
	}
	e.want(h.waitForEvents(300), want...)
}

func TestWatch_SelectorTransitions(t *testing.T) {
	e := newEnv(t)
	e.create("other", map[string]string{"app": "other"})
	h := startHarness(t, e.config, e.properties(`, "matchingLabels": {"app": "x"}, "labelSelector": {"matchExpressions": [{"key": "off", "operator": "DoesNotExist"}]}`))
	e.create("a", map[string]string{"app": "x"})
	e.update("a", `{"data": {"n": "1"}}`)
	e.update("a", `{"metadata": {"labels": {"off": "yes"}}}`) // no longer matches
	e.update("a", `{"data": {"n": "2"}}`)
	e.update("a", `{"metadata": {"labels": {"off": null}}}`) // matches again
	e.update("other", `{"metadata": {"labels": {"app": "x"}}}`)
	e.delete("a")
	got := h.waitForEvents(6)
	e.want(got, "create a", "update a", "delete a", "create a", "create other", "delete a")
	if got[2].ID == got[5].ID {
		t.Errorf("two deletes with the same ID %q", got[2].ID)
	}
}

func TestWatch_ClusterScopedKind(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "fieldSelector": "metadata.name=%s"}`, e.namespace))
	_, err := e.client.CoreV1().Namespaces().Patch(t.Context(), e.namespace, types.MergePatchType, []byte(`{"metadata": {"labels": {"a": "b"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"update " + e.namespace}, brief(h.waitForEvents(1))); diff != "" {
		t.Error(diff)
	}
}

// A shared watch delivers sync events if one of its subscriptions includes them.
func TestSync_Shared(t *testing.T) {
	e := newEnv(t)
	e.create("a", nil)
	h := newHarness(t, e.config, e.properties(""))
	plain, _ := h.factory.Compile(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": e.namespace}, source.Spec{})
	syncing, _ := h.factory.Compile(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": e.namespace, "events": []any{"sync"}}, source.Spec{})
	h.source = plain.Open([]source.Subscription{plain, syncing})
	h.run()
	e.want(h.waitForEvents(1), "sync a")
}

func TestWatch_Backpressure(t *testing.T) {
	e := newEnv(t)
	h := startHarness(t, e.config, e.properties(""))
	gate := make(chan struct{})
	h.mu.Lock()
	h.gate = gate
	h.mu.Unlock()
	var want []string
	for i := range 50 {
		name := fmt.Sprintf("cm-%02d", i)
		e.create(name, nil)
		want = append(want, "create "+name)
	}
	if got := h.received(); len(got) > 0 {
		t.Errorf("delivered while the engine blocks: %v", brief(got))
	}
	close(gate)
	e.want(h.waitForEvents(50), want...)
}
