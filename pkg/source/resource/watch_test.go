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

func TestEventsInOrder(t *testing.T) {
	b := newEnv(t)
	b.create("before", nil)
	r := startHarness(t, b.config, b.properties(""))
	created := b.create("a", nil)
	updated := b.update("a", `{"data": {"n": "1"}}`)
	b.update("before", `{"data": {"n": "1"}}`)
	b.delete("a")
	got := r.waitForEvents(4)
	b.want(got, "create a", "update a", "update before", "delete a")

	uid := string(created.UID)
	if got[0].ID != uid+"@"+created.ResourceVersion || got[1].ID != uid+"@"+updated.ResourceVersion {
		t.Errorf("IDs %q and %q", got[0].ID, got[1].ID)
	}
	if !strings.HasPrefix(got[3].ID, uid+"@") || !strings.HasSuffix(got[3].ID, "/delete") || got[3].ID == got[1].ID+"/delete" {
		t.Errorf("ID of the delete %q", got[3].ID)
	}
	if got[0].Source != resource.Type || got[0].Writer != "creator" || got[3].Writer != "" || got[0].Time.IsZero() {
		t.Errorf("got %+v", got[0])
	}
	metadata := got[1].Data["metadata"].(map[string]any)
	if _, has := metadata["managedFields"]; has {
		t.Error("Data has managed fields")
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"n": "1"},
		"metadata": map[string]any{
			"name": "a", "namespace": b.namespace, "uid": uid, "resourceVersion": updated.ResourceVersion,
			"creationTimestamp": created.CreationTimestamp.UTC().Format(time.RFC3339),
		},
	}
	if diff := cmp.Diff(want, got[1].Data); diff != "" {
		t.Error(diff)
	}
}

func TestNumbersKeepTheirType(t *testing.T) {
	b := newEnv(t)
	r := startHarness(t, b.config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Service", "namespace": %q}`, b.namespace))
	_, err := b.client.CoreV1().Services(b.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "s"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ports := r.waitForEvents(1)[0].Data["spec"].(map[string]any)["ports"].([]any)
	if port := ports[0].(map[string]any)["port"]; port != int64(80) {
		t.Errorf("port is %T %v", port, port)
	}
}

func TestSync(t *testing.T) {
	b := newEnv(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("cm-%d", i)
		b.create(name, nil)
		want = append(want, "sync "+name)
	}
	small := func(o *resource.Options) { o.PageSize = 3 }
	r := startHarness(t, b.config, b.properties(`, "events": ["sync"]`), small)
	got := r.waitForEvents(7)
	b.want(got, want...)
	if got[0].Data["kind"] != "ConfigMap" || got[0].Data["apiVersion"] != "v1" {
		t.Errorf("an object from a list has no kind: %v", got[0].Data)
	}
	b.create("new", nil)
	b.update("cm-3", `{"data": {"n": "1"}}`)
	b.want(r.waitForEvents(9)[7:], "create new", "update cm-3")
	if r.transport.listedPages() != 6 {
		t.Errorf("%d pages for 7 names and objects by 3", r.transport.listedPages())
	}
}

// A first list that fails halfway goes on without announcing anything twice.
func TestSyncIsTakenUpAgain(t *testing.T) {
	b := newEnv(t)
	for i := range 4 {
		b.create(fmt.Sprintf("cm-%d", i), nil)
	}
	r := newHarness(t, b.config, b.properties(`, "events": ["sync"]`), func(o *resource.Options) { o.PageSize = 2 })
	r.gate = make(chan struct{}, 3)
	for range 3 {
		r.gate <- struct{}{}
	}
	r.run()
	r.waitForEvents(3)
	r.stop()
	b.update("cm-0", `{"data": {"n": "1"}}`)
	b.delete("cm-1")
	r.mu.Lock()
	close(r.gate)
	r.mu.Unlock()
	r.run()
	r.waitForWatch()
	b.want(r.waitForEvents(6), "sync cm-0", "sync cm-1", "sync cm-2", "sync cm-3", "update cm-0", "delete cm-1")
}

func TestManyObjectsOverPages(t *testing.T) {
	b := newEnv(t)
	for i := range 300 {
		b.create(fmt.Sprintf("cm-%03d", i), nil)
	}
	r := startHarness(t, b.config, b.properties(""), func(o *resource.Options) { o.PageSize = 50 })
	if r.transport.listedPages() != 6 {
		t.Errorf("%d pages for 300 objects by 50", r.transport.listedPages())
	}
	for i := range 300 {
		b.update(fmt.Sprintf("cm-%03d", i), `{"data": {"n": "1"}}`)
	}
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("update cm-%03d", i))
	}
	b.want(r.waitForEvents(300), want...)
}

func TestSelectorTransitions(t *testing.T) {
	b := newEnv(t)
	b.create("other", map[string]string{"app": "other"})
	r := startHarness(t, b.config, b.properties(`, "matchingLabels": {"app": "x"}, "labelSelector": {"matchExpressions": [{"key": "off", "operator": "DoesNotExist"}]}`))
	b.create("a", map[string]string{"app": "x"})
	b.update("a", `{"data": {"n": "1"}}`)
	b.update("a", `{"metadata": {"labels": {"off": "yes"}}}`) // no longer matches
	b.update("a", `{"data": {"n": "2"}}`)
	b.update("a", `{"metadata": {"labels": {"off": null}}}`) // matches again
	b.update("other", `{"metadata": {"labels": {"app": "x"}}}`)
	b.delete("a")
	got := r.waitForEvents(6)
	b.want(got, "create a", "update a", "delete a", "create a", "create other", "delete a")
	if got[2].ID == got[5].ID {
		t.Errorf("two deletes of one ID %q", got[2].ID)
	}
}

func TestClusterScopedKind(t *testing.T) {
	b := newEnv(t)
	r := startHarness(t, b.config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "fieldSelector": "metadata.name=%s"}`, b.namespace))
	_, err := b.client.CoreV1().Namespaces().Patch(t.Context(), b.namespace, types.MergePatchType, []byte(`{"metadata": {"labels": {"a": "b"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"update " + b.namespace}, brief(r.waitForEvents(1))); diff != "" {
		t.Error(diff)
	}
}

// Subscriptions that share a watch get sync if any of them wants it.
func TestOpenShared(t *testing.T) {
	b := newEnv(t)
	b.create("a", nil)
	r := newHarness(t, b.config, b.properties(""))
	plain, _ := r.compile(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": b.namespace}, source.Spec{})
	syncing, _ := r.compile(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": b.namespace, "events": []any{"sync"}}, source.Spec{})
	r.source = plain.Open([]source.Subscription{plain, syncing})
	r.run()
	b.want(r.waitForEvents(1), "sync a")
}

func TestBackpressure(t *testing.T) {
	b := newEnv(t)
	r := startHarness(t, b.config, b.properties(""))
	gate := make(chan struct{})
	r.mu.Lock()
	r.gate = gate
	r.mu.Unlock()
	var want []string
	for i := range 50 {
		name := fmt.Sprintf("cm-%02d", i)
		b.create(name, nil)
		want = append(want, "create "+name)
	}
	if got := r.received(); len(got) > 0 {
		t.Errorf("delivered while the engine is full: %v", brief(got))
	}
	close(gate)
	b.want(r.waitForEvents(50), want...)
}
