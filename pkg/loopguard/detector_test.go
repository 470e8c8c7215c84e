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
			e := newEnv(t)
			e.wantOwn(e.create(), false)
			e.noError(e.patch(kind, data))
			e.wantOwn(e.latest(), true)
			if len(e.sent) != 1 {
				t.Errorf("sent %q, want one patch", e.sent)
			}

			// A patch without a change is answered with the revision of another
			// client.
			theirs := e.edit(`{"data":{"other":"1"}}`)
			if kind == types.JSONPatchType {
				data = `[{"op":"test","path":"/data/count","value":"1"}]`
			}
			e.noError(e.patch(kind, data))
			if e.latest().ID != theirs.ID {
				t.Fatal("the patch changed the object")
			}
			e.wantOwn(theirs, false)
		})
	}
}

// TestOwnWrite_ForeignRemoval removes a field, which the managed fields do not
// show.
func TestOwnWrite_ForeignRemoval(t *testing.T) {
	e := newEnv(t)
	e.wantOwn(e.create(), false)
	e.wantOwn(e.edit(`{"data":{"other":"1"}}`), false)
	e.noError(e.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	e.wantOwn(e.latest(), true)
	e.wantOwn(e.edit(`{"data":{"other":null}}`), false)
}

// TestOwnWrite_ConcurrentEdit edits the object while the patch is in flight.
func TestOwnWrite_ConcurrentEdit(t *testing.T) {
	for name, patch := range map[string]string{
		"change":    `{"data":{"count":"1"}}`,
		"no-change": `{"data":{"other":"1"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.wantOwn(e.create(), false)
			var theirs event.Event
			e.beforePatch = func() {
				e.beforePatch = nil
				theirs = e.edit(`{"data":{"other":"1"}}`)
			}
			e.noError(e.patch(types.MergePatchType, patch))
			e.wantOwn(theirs, false)
			if now := e.latest(); now.ID != theirs.ID {
				e.wantOwn(now, true)
			} else if name == "change" {
				t.Error("the patch did not change the object")
			}
		})
	}
}

func TestOwnWrite_EndlessConflicts(t *testing.T) {
	e := newEnv(t)
	e.wantOwn(e.create(), false)
	n := 0
	var theirs []event.Event
	e.beforePatch = func() {
		n++
		theirs = append(theirs, e.edit(fmt.Sprintf(`{"data":{"other":"%d"}}`, n)))
	}
	e.noError(e.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	for _, ev := range append(theirs, e.latest()) {
		e.wantOwn(ev, false)
	}
	if !e.detector.Circular(e.latest()) {
		t.Error("the write has no causes")
	}
}

func TestOwnWrite_CreateUpdate(t *testing.T) {
	e := newEnv(t)
	e.wantOwn(e.create(), false)
	made := e.object()
	made.SetName("")
	made.SetGenerateName("made-")
	e.noError(e.client.Create(t.Context(), made))
	var o corev1.ConfigMap
	e.noError(runtime.DefaultUnstructuredConverter.FromUnstructured(made.Object, &o))
	e.wantOwn(updateEvent(&o), true)

	e.noError(e.client.Update(t.Context(), &o))
	e.wantOwn(updateEvent(&o), true) // unchanged: still the revision of the create
	o.Data = map[string]string{"count": "1"}
	e.noError(e.client.Update(t.Context(), &o))
	e.wantOwn(updateEvent(&o), true)
	o.ResourceVersion = "1"
	if err := e.client.Update(t.Context(), &o); err == nil {
		t.Error("updated an old revision")
	}

	dry := e.object()
	dry.SetName("dry")
	e.noError(e.client.Create(t.Context(), dry, client.DryRunAll))
	if e.detector.Circular(event.Event{ID: string(dry.GetUID()) + "@" + dry.GetResourceVersion()}) {
		t.Error("a dry run is recorded")
	}
}

// TestClient_UnwatchedKind wants no extra request, and no precondition, if a
// write cannot wake the trigger.
func TestClient_UnwatchedKind(t *testing.T) {
	e := newEnv(t)
	e.create()
	const data = `{"data":{"count":"1"}}`
	e.noError(e.patch(types.MergePatchType, data))
	if len(e.sent) != 1 || e.sent[0] != data {
		t.Errorf("sent %q", e.sent)
	}
	e.wantOwn(e.latest(), false)
	if !e.detector.Circular(e.latest()) {
		t.Error("the write has no causes")
	}
}

// TestDetector_Circular follows a loop: a user's edit causes left's, which causes
// right's, which causes left's.
func TestDetector_Circular(t *testing.T) {
	e := newEnv(t)
	left, right := e.detector, e.tracker.Detector(event.TriggerRef{Name: "right"})
	if e.tracker.Detector(event.TriggerRef{Name: "self"}) != left {
		t.Fatal("one trigger has two detectors")
	}
	circular := func(ev event.Event, ofLeft, ofRight bool) {
		t.Helper()
		if l, r := left.Circular(ev), right.Circular(ev); l != ofLeft || r != ofRight {
			t.Errorf("circular for left %v, for right %v; want %v, %v", l, r, ofLeft, ofRight)
		}
	}
	act := func(by *loopguard.Detector, on event.Event, value string) event.Event {
		t.Helper()
		e.noError(by.Client(e.inner).Patch(by.WithCauses(t.Context(), on, ""), e.object(), client.RawPatch(types.MergePatchType, []byte(`{"data":{"count":"`+value+`"}}`))))
		return e.latest()
	}
	edit := e.create()
	circular(edit, false, false)
	first := act(left, edit, "1")
	circular(first, true, false)
	second := act(right, first, "2")
	circular(second, true, true)
	third := act(left, second, "3")
	circular(third, true, true)
	circular(e.edit(`{"data":{"count":"4"}}`), false, false)
	circular(event.Event{ID: "elsewhere"}, false, false)
}

func TestClient_NamedRevision(t *testing.T) {
	e := newEnv(t)
	e.wantOwn(e.create(), false)
	if err := e.patch(types.MergePatchType, `{"metadata":{"resourceVersion":"1"},"data":{"count":"1"}}`); err == nil {
		t.Error("patched another revision than the named one")
	}
	version, _ := e.latest().Data["metadata"].(map[string]any)["resourceVersion"].(string)
	e.noError(e.patch(types.MergePatchType, fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"data":{"count":"1"}}`, version)))
	e.wantOwn(e.latest(), true)

	const operations = `[{"op":"replace","path":"/metadata/resourceVersion","value":%q},{"op":"add","path":"/data/count","value":"2"}]`
	if err := e.patch(types.JSONPatchType, fmt.Sprintf(operations, version)); err == nil {
		t.Error("patched another revision than the one in the operation")
	}
	version, _ = e.latest().Data["metadata"].(map[string]any)["resourceVersion"].(string)
	e.noError(e.patch(types.JSONPatchType, fmt.Sprintf(operations, version)))
	e.wantOwn(e.latest(), true)
}

// TestClient_ForbiddenRead patches without a precondition if the object cannot be
// read.
func TestClient_ForbiddenRead(t *testing.T) {
	c := cluster.Start(t)
	e := newEnv(t)
	e.connect(c.ServiceAccount(t, e.namespace, "writer", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"patch"}}))
	other := e.create()
	other.Key = "somewhere/else"
	e.wantOwn(other, false)
	e.noError(e.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	e.wantOwn(e.latest(), false)
}

// TestOwnWrite_WaitsForResponse asks about an event whose write has no response
// yet.
func TestOwnWrite_WaitsForResponse(t *testing.T) {
	e := newEnv(t)
	created := e.create()
	e.wantOwn(created, false)
	sent, answer := make(chan struct{}), make(chan struct{})
	e.beforePatch = func() { close(sent); <-answer }
	patched := make(chan error)
	go func() { patched <- e.patch(types.MergePatchType, `{"data":{"count":"1"}}`) }()
	<-sent
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.detector.OwnWrite(ctx, created); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a timeout", err)
	}
	elsewhere := created
	elsewhere.Key += "y"
	e.wantOwn(elsewhere, false)
	waited := make(chan bool)
	go func() {
		own, _ := e.detector.OwnWrite(t.Context(), created)
		waited <- own
	}()
	close(answer)
	e.noError(<-patched)
	if <-waited {
		t.Error("the user's event is own")
	}
	e.wantOwn(e.latest(), true)
}

// TestDetector_Clusters writes in another cluster that has the same object at the
// same revision, as a copied cluster has.
func TestDetector_Clusters(t *testing.T) {
	e := newEnv(t)
	elsewhere := func(ev event.Event) event.Event {
		ev.Cluster, ev.ID = "copy", "copy//"+ev.ID
		return ev
	}
	e.wantOwn(e.create(), false)
	e.wantOwn(elsewhere(e.latest()), false)
	e.client = e.detector.ClientIn("copy", e.inner)
	e.noError(e.patch(types.MergePatchType, `{"data":{"count":"1"}}`))
	e.wantOwn(e.latest(), false)
	e.wantOwn(elsewhere(e.latest()), true)
	if e.detector.Circular(e.latest()) || !e.detector.Circular(elsewhere(e.latest())) {
		t.Error("circular across clusters")
	}
}
