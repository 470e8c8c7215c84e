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
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// bench is a namespace of a cluster in which a test moves ConfigMaps.
type bench struct {
	*testing.T
	config    *rest.Config
	client    kubernetes.Interface
	namespace string
}

func newBench(t *testing.T, opts ...cluster.Option) bench {
	c := cluster.Start(t, opts...)
	return bench{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
}

// watching returns the properties of a watch of this namespace's ConfigMaps,
// without those that the control plane puts there.
func (b bench) watching(more string) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "namespace": %q, "fieldSelector": "metadata.name!=kube-root-ca.crt"%s}`, b.namespace, more)
}

func (b bench) create(name string, labels map[string]string) *corev1.ConfigMap {
	b.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: map[string]string{"n": "0"}}
	cm, err := b.client.CoreV1().ConfigMaps(b.namespace).Create(b.Context(), cm, metav1.CreateOptions{FieldManager: "creator"})
	if err != nil {
		b.Fatal(err)
	}
	return cm
}

func (b bench) update(name, patch string) *corev1.ConfigMap {
	b.Helper()
	cm, err := b.client.CoreV1().ConfigMaps(b.namespace).Patch(b.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "patcher"})
	if err != nil {
		b.Fatal(err)
	}
	return cm
}

func (b bench) delete(name string) {
	b.Helper()
	if err := b.client.CoreV1().ConfigMaps(b.namespace).Delete(b.Context(), name, metav1.DeleteOptions{}); err != nil {
		b.Fatal(err)
	}
}

// want compares events, as "type name".
func (b bench) want(got []event.Event, want ...string) {
	b.Helper()
	for i, w := range want {
		kind, name, _ := strings.Cut(w, " ")
		want[i] = kind + " " + b.namespace + "/" + name
	}
	if diff := cmp.Diff(want, brief(got)); diff != "" {
		b.Error(diff)
	}
}

func TestEventsInOrder(t *testing.T) {
	b := newBench(t)
	b.create("before", nil)
	r := start(t, b.config, b.watching(""))
	created := b.create("a", nil)
	updated := b.update("a", `{"data": {"n": "1"}}`)
	b.update("before", `{"data": {"n": "1"}}`)
	b.delete("a")
	got := r.until(4)
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
	b := newBench(t)
	r := start(t, b.config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Service", "namespace": %q}`, b.namespace))
	_, err := b.client.CoreV1().Services(b.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "s"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ports := r.until(1)[0].Data["spec"].(map[string]any)["ports"].([]any)
	if port := ports[0].(map[string]any)["port"]; port != int64(80) {
		t.Errorf("port is %T %v", port, port)
	}
}

func TestSync(t *testing.T) {
	b := newBench(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("cm-%d", i)
		b.create(name, nil)
		want = append(want, "sync "+name)
	}
	small := func(o *resource.Options) { o.PageSize = 3 }
	r := start(t, b.config, b.watching(`, "events": ["sync"]`), small)
	got := r.until(7)
	b.want(got, want...)
	if got[0].Data["kind"] != "ConfigMap" || got[0].Data["apiVersion"] != "v1" {
		t.Errorf("an object from a list has no kind: %v", got[0].Data)
	}
	b.create("new", nil)
	b.update("cm-3", `{"data": {"n": "1"}}`)
	b.want(r.until(9)[7:], "create new", "update cm-3")
	if r.wire.lists() != 3 {
		t.Errorf("%d pages for 7 objects by 3", r.wire.lists())
	}
}

// A first list that fails halfway goes on without announcing anything twice.
func TestSyncIsTakenUpAgain(t *testing.T) {
	b := newBench(t)
	for i := range 4 {
		b.create(fmt.Sprintf("cm-%d", i), nil)
	}
	r := open(t, b.config, b.watching(`, "events": ["sync"]`), func(o *resource.Options) { o.PageSize = 2 })
	r.gate = make(chan struct{}, 3)
	for range 3 {
		r.gate <- struct{}{}
	}
	r.run()
	r.until(3)
	r.stop()
	b.update("cm-0", `{"data": {"n": "1"}}`)
	b.delete("cm-1")
	r.mu.Lock()
	close(r.gate)
	r.mu.Unlock()
	r.run()
	r.established()
	b.want(r.until(6), "sync cm-0", "sync cm-1", "sync cm-2", "update cm-0", "sync cm-3", "delete cm-1")
}

func TestManyObjectsOverPages(t *testing.T) {
	b := newBench(t)
	for i := range 300 {
		b.create(fmt.Sprintf("cm-%03d", i), nil)
	}
	r := start(t, b.config, b.watching(""), func(o *resource.Options) { o.PageSize = 50 })
	if r.wire.lists() != 6 {
		t.Errorf("%d pages for 300 objects by 50", r.wire.lists())
	}
	for i := range 300 {
		b.update(fmt.Sprintf("cm-%03d", i), `{"data": {"n": "1"}}`)
	}
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("update cm-%03d", i))
	}
	b.want(r.until(300), want...)
}

func TestSelectorTransitions(t *testing.T) {
	b := newBench(t)
	b.create("other", map[string]string{"app": "other"})
	r := start(t, b.config, b.watching(`, "matchingLabels": {"app": "x"}, "labelSelector": {"matchExpressions": [{"key": "off", "operator": "DoesNotExist"}]}`))
	b.create("a", map[string]string{"app": "x"})
	b.update("a", `{"data": {"n": "1"}}`)
	b.update("a", `{"metadata": {"labels": {"off": "yes"}}}`) // no longer matches
	b.update("a", `{"data": {"n": "2"}}`)
	b.update("a", `{"metadata": {"labels": {"off": null}}}`) // matches again
	b.update("other", `{"metadata": {"labels": {"app": "x"}}}`)
	b.delete("a")
	got := r.until(6)
	b.want(got, "create a", "update a", "delete a", "create a", "create other", "delete a")
	if got[2].ID == got[5].ID {
		t.Errorf("two deletes of one ID %q", got[2].ID)
	}
}

func TestClusterScopedKind(t *testing.T) {
	b := newBench(t)
	r := start(t, b.config, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "fieldSelector": "metadata.name=%s"}`, b.namespace))
	_, err := b.client.CoreV1().Namespaces().Patch(t.Context(), b.namespace, types.MergePatchType, []byte(`{"metadata": {"labels": {"a": "b"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"update " + b.namespace}, brief(r.until(1))); diff != "" {
		t.Error(diff)
	}
}

func TestNamespaceForClusterScopedKind(t *testing.T) {
	b := newBench(t)
	r := open(t, b.config, `{"apiVersion": "v1", "kind": "Namespace", "namespace": "a"}`)
	r.run()
	const want = `kind "Namespace" in "v1" belongs to no namespace: namespace "a" cannot be given`
	if got := r.failure().Error(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestForbidden(t *testing.T) {
	c := cluster.Start(t)
	r := open(t, c.User("eve"), `{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "kube-system"}`)
	r.run()
	err := r.failure()
	const want = `User "eve" cannot list resource "configmaps" in API group "" in the namespace "kube-system"`
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	r := open(t, &rest.Config{Host: "http://127.0.0.1:1"}, `{"apiVersion": "v1", "kind": "ConfigMap"}`)
	r.run()
	if err := r.failure(); !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error does not name the host: %v", err)
	}
}

// A stream that ends at any place is taken up again, without loss or repeat.
func TestStreamsAreCut(t *testing.T) {
	b := newBench(t)
	r := start(t, b.config, b.watching(""))
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("cm-%02d", i)
		b.create(name, nil)
		want = append(want, "create "+name)
		switch i % 10 {
		case 3:
			r.wire.cut(io.EOF)
		case 6:
			r.wire.cut(io.ErrUnexpectedEOF)
		case 9:
			r.wire.cut(errors.New("broken in an object"))
		}
	}
	b.want(r.until(60), want...)
	if n := r.wire.lists(); n != 1 {
		t.Errorf("listed %d pages, want those of the first start", n)
	}
}

// A Run that ended is taken up by the next one.
func TestRunAgain(t *testing.T) {
	b := newBench(t)
	r := start(t, b.config, b.watching(""))
	b.create("a", nil)
	r.until(1)
	r.stop()
	b.update("a", `{"data": {"n": "1"}}`)
	b.create("b", nil)
	r.run()
	b.want(r.until(3), "create a", "update a", "create b")
	if n := r.wire.lists(); n != 1 {
		t.Errorf("listed %d pages, want those of the first start", n)
	}
}

// What was delivered but is not done is known when a watch stops.
func TestUndoneIsKnown(t *testing.T) {
	b := newBench(t)
	r := start(t, b.config, b.watching(""))
	done := b.create("a", nil)
	r.until(1)
	r.mu.Lock()
	r.undone = true
	r.mu.Unlock()
	b.create("b", nil)
	reached := b.create("c", nil)
	r.until(3)
	r.stop()
	want := fmt.Sprintf(`"done"=%q "undone"=2`, done.ResourceVersion)
	if !r.logged(want) {
		t.Errorf("no %s, with the watch at %s, in %v", want, reached.ResourceVersion, r.lines)
	}
}

// An event that the engine did not take is delivered again.
func TestUndeliveredIsDeliveredAgain(t *testing.T) {
	b := newBench(t)
	r := start(t, b.config, b.watching(""))
	r.mu.Lock()
	r.gate = make(chan struct{})
	r.mu.Unlock()
	b.create("a", nil)
	b.create("b", nil)
	r.stop()
	if got := r.got(); len(got) != 0 {
		t.Fatalf("delivered through a closed gate: %v", brief(got))
	}
	close(r.gate)
	r.run()
	b.want(r.until(2), "create a", "create b")
}

// What the API server repeats or sends unchanged is not an event.
func TestUnchangedIsNotAnEvent(t *testing.T) {
	b := newBench(t)
	r := open(t, b.config, b.watching(""))
	known := b.create("known", nil)
	object := func(kind, rv string) string {
		return fmt.Sprintf(`{"type": %q, "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "known", "namespace": %q, "uid": %q, "resourceVersion": %q}}}`+"\n",
			kind, b.namespace, known.UID, rv)
	}
	r.wire.answer(true, http.StatusOK, http.Header{"Content-Type": {"application/json"}}, io.NopCloser(strings.NewReader(
		object("ADDED", known.ResourceVersion)+object("MODIFIED", known.ResourceVersion)+object("MODIFIED", "1")+
			strings.Replace(object("DELETED", known.ResourceVersion), string(known.UID), "another", 1)+
			object("BOOKMARK", known.ResourceVersion))))
	r.run()
	if rv := r.established(); rv != known.ResourceVersion {
		t.Errorf("the watch went on from %s, want the bookmark's %s", rv, known.ResourceVersion)
	}
	b.create("last", nil)
	b.want(r.until(1), "create last")
}

func TestRetryAfter(t *testing.T) {
	b := newBench(t)
	fake := clocktesting.NewFakeClock(time.Now())
	r := open(t, b.config, b.watching(""), func(o *resource.Options) { o.Clock = fake })
	// Where a request is answered so, the client itself waits.
	r.wire.answer(true, http.StatusOK, http.Header{"Content-Type": {"application/json"}}, io.NopCloser(strings.NewReader(
		`{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "TooManyRequests", "code": 429, "details": {"retryAfterSeconds": 7}}}`)))
	r.run()
	eventually(t, func() bool { return r.logged("watch interrupted") && fake.HasWaiters() })
	fake.Step(6999 * time.Millisecond)
	if !fake.HasWaiters() {
		t.Error("did not wait for seven seconds")
	}
	fake.Step(time.Millisecond)
	r.established()
	b.create("a", nil)
	b.want(r.until(1), "create a")
}

// Where the history is gone, exactly what happened meanwhile is told.
func TestExpired(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b := bench{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	for _, name := range []string{"kept", "changed", "replaced", "removed"} {
		b.create(name, nil)
	}
	r := start(t, b.config, b.watching(""), func(o *resource.Options) { o.PageSize = 2 })
	b.update("kept", `{"data": {"n": "1"}}`)
	removed, err := b.client.CoreV1().ConfigMaps(b.namespace).Get(t.Context(), "removed", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.until(1)
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
	for rv := r.established(); ; rv = r.established() {
		if got := r.got(); len(got) >= 6 {
			break
		}
		t.Logf("watch from %s", rv)
	}
	b.create("last", nil)
	got := r.until(7)
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
	b := bench{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	for _, name := range []string{"kept", "changed", "removed"} {
		b.create(name, nil)
	}
	c.Snapshot(t, "before")
	r := start(t, b.config, b.watching(""))
	b.update("changed", `{"data": {"n": "1"}}`)
	b.delete("removed")
	b.create("added", nil)
	for range 10 {
		b.update("added", `{"metadata": {"labels": {"a": "b"}}}`)
		b.update("added", `{"metadata": {"labels": null}}`)
	}
	r.until(23)
	r.stop()
	c.Restore(t, "before")
	r.run()
	r.established()
	b.update("kept", `{"data": {"n": "1"}}`)
	b.want(r.until(27)[23:], "update changed", "create removed", "delete added", "update kept")
}

// The API server goes away under an established watch; the source fails while
// it is away, and misses nothing.
func TestAPIServerRestarts(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Own())
	b := bench{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
	r := start(t, b.config, b.watching(""))
	b.create("a", nil)
	r.until(1)
	c.StopAPIServer(t)
	host := strings.TrimPrefix(b.config.Host, "https://")
	if err := r.failure(); !strings.Contains(err.Error(), host) {
		t.Errorf("error does not name the host: %v", err)
	}
	c.StartAPIServer(t)
	b.create("b", nil)
	r.run()
	b.want(r.until(2), "create a", "create b")
}

// Subscriptions that share a watch get sync if any of them wants it.
func TestOpenShared(t *testing.T) {
	b := newBench(t)
	b.create("a", nil)
	r := open(t, b.config, b.watching(""))
	plain, _ := r.compile(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": b.namespace})
	syncing, _ := r.compile(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": b.namespace, "events": []any{"sync"}})
	r.source = plain.Open([]source.Subscription{plain, syncing})
	r.run()
	b.want(r.until(1), "sync a")
}

func TestBackpressure(t *testing.T) {
	b := newBench(t)
	r := start(t, b.config, b.watching(""))
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
	if got := r.got(); len(got) > 0 {
		t.Errorf("delivered while the engine is full: %v", brief(got))
	}
	close(gate)
	b.want(r.until(50), want...)
}
