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

package loopguard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/test/cluster"
)

func TestOwnWrite_Patch(t *testing.T) {
	for kind, data := range map[types.PatchType]string{
		types.MergePatchType:          `{"data":{"count":"1"}}`,
		types.StrategicMergePatchType: `{"data":{"count":"1"}}`,
		types.JSONPatchType:           `[{"op":"add","path":"/data","value":{"count":"1"}}]`,
		types.ApplyPatchType:          `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"count":"1"}}`,
	} {
		t.Run(string(kind), func(t *testing.T) {
			b := newEnv(t)
			b.wantOwn(b.create(), false)
			b.noError(b.patch(kind, data))
			b.wantOwn(b.latest(), true)
			if len(b.sent) != 1 {
				t.Errorf("sent %q, want one patch", b.sent)
			}

			// A patch without a change is answered with the revision of another
			// client.
			theirs := b.edit(`{"data":{"other":"1"}}`)
			if kind == types.JSONPatchType {
				data = `[{"op":"test","path":"/data/count","value":"1"}]`
			}
			b.noError(b.patch(kind, data))
			if b.latest().ID != theirs.ID {
				t.Fatal("the patch changed something")
			}
			b.wantOwn(theirs, false)
		})
	}
}

// TestOwnWrite_ForeignRemoval removes a field, which the managed fields do not
// show.
func TestOwnWrite_ForeignRemoval(t *testing.T) {
	b := newEnv(t)
	b.wantOwn(b.create(), false)
	b.wantOwn(b.edit(`{"data":{"other":"1"}}`), false)
	b.noError(b.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	b.wantOwn(b.latest(), true)
	b.wantOwn(b.edit(`{"data":{"other":null}}`), false)
}

// TestOwnWrite_ConcurrentEdit edits the object while the patch is in flight.
func TestOwnWrite_ConcurrentEdit(t *testing.T) {
	for name, patch := range map[string]string{
		"changes something": `{"data":{"count":"1"}}`,
		"changes nothing":   `{"data":{"other":"1"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := newEnv(t)
			b.wantOwn(b.create(), false)
			var theirs event.Event
			b.beforePatch = func() {
				b.beforePatch = nil
				theirs = b.edit(`{"data":{"other":"1"}}`)
			}
			b.noError(b.patch(types.MergePatchType, patch))
			b.wantOwn(theirs, false)
			if now := b.latest(); now.ID != theirs.ID {
				b.wantOwn(now, true)
			} else if name == "changes something" {
				t.Error("nothing was changed")
			}
		})
	}
}

func TestOwnWrite_EndlessConflicts(t *testing.T) {
	b := newEnv(t)
	b.wantOwn(b.create(), false)
	n := 0
	var theirs []event.Event
	b.beforePatch = func() {
		n++
		theirs = append(theirs, b.edit(fmt.Sprintf(`{"data":{"other":"%d"}}`, n)))
	}
	b.noError(b.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	for _, ev := range append(theirs, b.latest()) {
		b.wantOwn(ev, false)
	}
	if !b.detector.Circular(b.latest()) {
		t.Error("the write is not known at all")
	}
}

func TestOwnWrite_CreateUpdate(t *testing.T) {
	b := newEnv(t)
	b.wantOwn(b.create(), false)
	made := b.object()
	made.SetName("")
	made.SetGenerateName("made-")
	b.noError(b.client.Create(t.Context(), made))
	var o corev1.ConfigMap
	b.noError(runtime.DefaultUnstructuredConverter.FromUnstructured(made.Object, &o))
	b.wantOwn(updateEvent(&o), true)

	b.noError(b.client.Update(t.Context(), &o))
	b.wantOwn(updateEvent(&o), true) // unchanged: still that of the create
	o.Data = map[string]string{"count": "1"}
	b.noError(b.client.Update(t.Context(), &o))
	b.wantOwn(updateEvent(&o), true)
	o.ResourceVersion = "1"
	if err := b.client.Update(t.Context(), &o); err == nil {
		t.Error("updated an old revision")
	}

	dry := b.object()
	dry.SetName("dry")
	b.noError(b.client.Create(t.Context(), dry, client.DryRunAll))
	if b.detector.Circular(event.Event{ID: string(dry.GetUID()) + "@" + dry.GetResourceVersion()}) {
		t.Error("a dry run is remembered")
	}
}

// TestClient_UnwatchedKind wants no extra request, and no precondition, if a
// write cannot wake the trigger.
func TestClient_UnwatchedKind(t *testing.T) {
	b := newEnv(t)
	b.create()
	const data = `{"data":{"count":"1"}}`
	b.noError(b.patch(types.MergePatchType, data))
	if len(b.sent) != 1 || b.sent[0] != data {
		t.Errorf("sent %q", b.sent)
	}
	b.wantOwn(b.latest(), false)
	if !b.detector.Circular(b.latest()) {
		t.Error("the write does not count")
	}
}

// TestDetector_Circular follows a loop: a user's edit causes left's, which causes
// right's, which causes left's.
func TestDetector_Circular(t *testing.T) {
	b := newEnv(t)
	left, right := b.detector, b.tracker.Detector(event.TriggerRef{Name: "right"})
	if b.tracker.Detector(event.TriggerRef{Name: "self"}) != left {
		t.Fatal("one trigger has two records")
	}
	circular := func(ev event.Event, ofLeft, ofRight bool) {
		t.Helper()
		if l, r := left.Circular(ev), right.Circular(ev); l != ofLeft || r != ofRight {
			t.Errorf("circular for left %v, for right %v; want %v, %v", l, r, ofLeft, ofRight)
		}
	}
	act := func(by *loopguard.Detector, on event.Event, value string) event.Event {
		t.Helper()
		b.noError(by.Client(b.inner).Patch(by.WithCauses(t.Context(), on), b.object(), client.RawPatch(types.MergePatchType, []byte(`{"data":{"count":"`+value+`"}}`))))
		return b.latest()
	}
	edit := b.create()
	circular(edit, false, false)
	first := act(left, edit, "1")
	circular(first, true, false)
	second := act(right, first, "2")
	circular(second, true, true)
	third := act(left, second, "3")
	circular(third, true, true)
	circular(b.edit(`{"data":{"count":"4"}}`), false, false)
	circular(event.Event{ID: "elsewhere", Writer: "kube-trigger/of-another-process"}, true, true)
	circular(event.Event{ID: "elsewhere", Writer: "kubectl"}, false, false)
}

func TestClient_NamedRevision(t *testing.T) {
	b := newEnv(t)
	b.wantOwn(b.create(), false)
	if err := b.patch(types.MergePatchType, `{"metadata":{"resourceVersion":"1"},"data":{"count":"1"}}`); err == nil {
		t.Error("patched another revision than the one named")
	}
	version, _ := b.latest().Data["metadata"].(map[string]any)["resourceVersion"].(string)
	b.noError(b.patch(types.MergePatchType, fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"data":{"count":"1"}}`, version)))
	b.wantOwn(b.latest(), true)

	const operations = `[{"op":"replace","path":"/metadata/resourceVersion","value":%q},{"op":"add","path":"/data/count","value":"2"}]`
	if err := b.patch(types.JSONPatchType, fmt.Sprintf(operations, version)); err == nil {
		t.Error("patched another revision than the one named by an operation")
	}
	version, _ = b.latest().Data["metadata"].(map[string]any)["resourceVersion"].(string)
	b.noError(b.patch(types.JSONPatchType, fmt.Sprintf(operations, version)))
	b.wantOwn(b.latest(), true)
}

// TestClient_ForbiddenRead patches without a precondition if the object cannot be
// read.
func TestClient_ForbiddenRead(t *testing.T) {
	c := cluster.Start(t)
	b := newEnv(t)
	b.connect(c.ServiceAccount(t, b.namespace, "writer", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"patch"}}))
	other := b.create()
	other.Key = "somewhere/else"
	b.wantOwn(other, false)
	b.noError(b.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	b.wantOwn(b.latest(), false)
}

// TestOwnWrite_WaitsForResponse asks about an event whose write has no response
// yet.
func TestOwnWrite_WaitsForResponse(t *testing.T) {
	b := newEnv(t)
	created := b.create()
	b.wantOwn(created, false)
	sent, answer := make(chan struct{}), make(chan struct{})
	b.beforePatch = func() { close(sent); <-answer }
	patched := make(chan error)
	go func() { patched <- b.patch(types.MergePatchType, `{"data":{"count":"1"}}`) }()
	<-sent
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := b.detector.OwnWrite(ctx, created); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that it waits", err)
	}
	elsewhere := created
	elsewhere.Key += "y"
	b.wantOwn(elsewhere, false)
	waited := make(chan bool)
	go func() {
		own, _ := b.detector.OwnWrite(t.Context(), created)
		waited <- own
	}()
	close(answer)
	b.noError(<-patched)
	if <-waited {
		t.Error("the user's event is own")
	}
	b.wantOwn(b.latest(), true)
}

// TestDetector_Clusters writes in another cluster that has the same object at the
// same revision, as a copied cluster has.
func TestDetector_Clusters(t *testing.T) {
	b := newEnv(t)
	elsewhere := func(ev event.Event) event.Event {
		ev.Cluster, ev.ID = "copy", "copy//"+ev.ID
		return ev
	}
	b.wantOwn(b.create(), false)
	b.wantOwn(elsewhere(b.latest()), false)
	b.client = b.detector.ClientIn("copy", b.inner)
	b.noError(b.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	b.wantOwn(b.latest(), false)
	b.wantOwn(elsewhere(b.latest()), true)
	if b.detector.Circular(b.latest()) || !b.detector.Circular(elsewhere(b.latest())) {
		t.Error("the trigger led to what happened in the other cluster")
	}
}
