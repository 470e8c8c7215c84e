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
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
)

// toEvent returns an event of an object as its source emits it.
func toEvent(t *testing.T, eventType string, o client.Object, apiVersion, kind string) event.Event {
	t.Helper()
	data, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	data["apiVersion"], data["kind"] = apiVersion, kind
	return event.Event{
		Type: eventType, Key: o.GetNamespace() + "/" + o.GetName(), Data: data,
		ID: event.RevisionID("", string(o.GetUID()), o.GetResourceVersion()),
	}
}

// create creates an object as the trigger's action on an event.
func (e *env) act(d *loopguard.Detector, on event.Event, o client.Object) {
	e.Helper()
	o.SetNamespace(e.namespace)
	e.noError(d.Client(e.inner).Create(d.WithCauses(e.Context(), on, ""), o))
}

// TestOwnWrite_OtherGroup creates a core/v1 Event, which the trigger watches as one of
// events.k8s.io/v1.
func TestOwnWrite_OtherGroup(t *testing.T) {
	e := newEnv(t)
	first := event.Event{Key: "first", ID: "first", Data: map[string]any{
		"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": map[string]any{"resourceVersion": "1"},
	}}
	e.wantOwn(first, false)
	made := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "about-first"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web", Namespace: e.namespace},
	}
	e.act(e.detector, first, made)
	watched, err := e.kube.EventsV1().Events(e.namespace).Get(t.Context(), "about-first", metav1.GetOptions{})
	e.noError(err)
	e.wantOwn(toEvent(t, event.Create, watched, "events.k8s.io/v1", "Event"), true)
}

// TestTurns_Created follows a created object to what others do with it: to an object that
// it owns, and to a Kubernetes Event about that one.
func TestTurns_Created(t *testing.T) {
	e := newEnv(t)
	turns := func(ev event.Event, want int) {
		t.Helper()
		if got := e.detector.Turns(ev); got != want {
			t.Errorf("%s: %d turns, want %d", ev.Key, got, want)
		}
	}
	root := e.create()
	turns(root, 0)
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "made"}}
	e.act(e.detector, root, made)
	turns(toEvent(t, event.Create, made, "v1", "ConfigMap"), 1)

	made.Data, made.Annotations = map[string]string{"by": "others"}, nil
	changed, err := e.kube.CoreV1().ConfigMaps(e.namespace).Update(t.Context(), made, metav1.UpdateOptions{FieldManager: "user"})
	e.noError(err)
	turns(toEvent(t, event.Update, changed, "v1", "ConfigMap"), 1)
	if e.detector.Circular(toEvent(t, event.Update, changed, "v1", "ConfigMap")) {
		t.Error("a change by others counts as a write of the trigger")
	}

	owned := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "owned", Namespace: e.namespace, OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: "made", UID: made.UID},
	}}}
	owned, err = e.kube.CoreV1().Secrets(e.namespace).Create(t.Context(), owned, metav1.CreateOptions{})
	e.noError(err)
	turns(toEvent(t, event.Create, owned, "v1", "Secret"), 1)
	about := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "about", Namespace: e.namespace}, InvolvedObject: corev1.ObjectReference{
		Kind: "Secret", Name: "owned", Namespace: e.namespace, UID: owned.UID,
	}}
	about, err = e.kube.CoreV1().Events(e.namespace).Create(t.Context(), about, metav1.CreateOptions{})
	e.noError(err)
	turns(toEvent(t, event.Create, about, "v1", "Event"), 1)
	regarding, err := e.kube.EventsV1().Events(e.namespace).Get(t.Context(), "about", metav1.GetOptions{})
	e.noError(err)
	turns(toEvent(t, event.Create, regarding, "events.k8s.io/v1", "Event"), 1)

	next := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "next"}}
	e.act(e.detector, toEvent(t, event.Create, regarding, "events.k8s.io/v1", "Event"), next)
	turns(toEvent(t, event.Create, next, "v1", "ConfigMap"), 2)
}

// TestTurns_AnotherProcess has triggers of two processes that make an object for each
// object of the other one.
func TestTurns_AnotherProcess(t *testing.T) {
	e := newEnv(t)
	left := e.detector
	right := loopguard.NewTracker().Detector(event.TriggerRef{Name: "right"})
	ev := e.create()
	for turn, name := range []string{"a", "b", "c"} {
		made := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name + "-1"}}}
		e.act(left, ev, made)
		ofLeft := event.Event{Type: event.Create, Data: made.Object, ID: string(made.GetUID()) + "@" + made.GetResourceVersion()}
		if n := right.Turns(ofLeft); n != turn {
			t.Errorf("right has %d turns, want %d", n, turn)
		}
		made = &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name + "-2"}}}
		e.act(right, ofLeft, made)
		ev = event.Event{Type: event.Create, Data: made.Object, ID: string(made.GetUID()) + "@" + made.GetResourceVersion()}
		if n := left.Turns(ev); n != turn+1 || !left.Circular(ev) {
			t.Errorf("left has %d turns, want %d", n, turn+1)
		}
	}
	stranger := loopguard.NewTracker().Detector(event.TriggerRef{Name: "stranger"})
	if stranger.Circular(ev) {
		t.Error("the chain of others is circular for a trigger that is not part of it")
	}
}

// TestTurns_Applied applies new objects: one of a kind that the trigger does not watch is
// known by its UID, and one that follows the write of another process carries its causes.
// Of an object that exists, nothing is changed.
func TestTurns_Applied(t *testing.T) {
	e := newEnv(t)
	apply := func(d *loopguard.Detector, on event.Event, writer, name string) event.Event {
		t.Helper()
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": e.namespace}, "data": map[string]any{"a": "b"}}}
		e.noError(d.Client(e.inner).Patch(d.WithCauses(e.Context(), on, writer), o, client.Apply, client.ForceOwnership))
		return event.Event{Type: event.Create, Data: o.Object, ID: string(o.GetUID()) + "@" + o.GetResourceVersion()}
	}
	later := func(ev event.Event) event.Event {
		ev.ID += "0" // a revision by others
		return ev
	}
	root := event.Event{Type: event.Create, ID: "root"}
	made := apply(e.detector, root, "kubectl", "made")
	if turns := e.detector.Turns(later(made)); turns != 1 || made.Causes() != nil {
		t.Errorf("a new object has %d turns and carries %v", turns, made.Causes())
	}
	if again := apply(e.detector, made, "", "made"); again.ID != made.ID || e.detector.Turns(later(again)) != 1 {
		t.Errorf("an unchanged object has %d turns, revision %s, before %s", e.detector.Turns(later(again)), again.ID, made.ID)
	}

	right := loopguard.NewTracker().Detector(event.TriggerRef{Name: "right"})
	ofRight := apply(right, made, "kube-trigger/self", "of-right")
	if turns := right.Turns(ofRight); turns != 1 || ofRight.Causes() == nil {
		t.Errorf("an object that follows another process has %d turns and carries %v", turns, ofRight.Causes())
	}
	ofLeft := apply(e.detector, ofRight, "kube-trigger/right", "of-left")
	if n := right.Turns(ofLeft); n != 1 {
		t.Errorf("right has %d turns, want 1", n)
	}
	if n := e.detector.Turns(apply(right, ofLeft, "kube-trigger/self", "of-right-2")); n != 1 {
		t.Errorf("left has %d turns, want 1", n)
	}
}

// TestCreate_KeepsAnnotations creates an object with annotations of its own.
func TestCreate_KeepsAnnotations(t *testing.T) {
	e := newEnv(t)
	given := map[string]string{"a": "b"}
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "made", Annotations: given}}
	e.act(e.detector, event.Event{ID: "1"}, made)
	if made.Annotations["a"] != "b" || made.Annotations[event.CausesAnnotation] == "" || len(given) != 1 {
		t.Errorf("annotations %v, given %v", made.Annotations, given)
	}
}

// TestMayCause writes and calls, one after the other.
func TestMayCause(t *testing.T) {
	e := newEnv(t)
	object := func(apiVersion, kind string, labels map[string]any) event.Event {
		return event.Event{Data: map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"labels": labels}}}
	}
	configMap, job := object("v1", "ConfigMap", nil), object("batch/v1", "Job", nil)
	ofApp := object("apps/v1", "Deployment", map[string]any{"app.oam.dev/name": "web"})
	app, kubeEvent := object("core.oam.dev/v1beta1", "Application", nil), object("events.k8s.io/v1", "Event", nil)
	request := event.Event{Data: map[string]any{"headers": map[string]any{}}}
	all := map[string]event.Event{"ConfigMap": configMap, "Job": job, "Deployment of an Application": ofApp, "Application": app, "Event": kubeEvent, "request": request}
	want := func(step string, d *loopguard.Detector, direct, indirect []string) {
		t.Helper()
		for name, ev := range all {
			expected := [2]bool{}
			for _, n := range direct {
				if n == name {
					expected = [2]bool{true, true}
				}
			}
			for _, n := range indirect {
				if n == name {
					expected = [2]bool{true, false}
				}
			}
			if may, isDirect := d.MayCause(ev); may != expected[0] || isDirect != expected[1] {
				t.Errorf("%s: %s: %v, %v, want %v", step, name, may, isDirect, expected)
			}
		}
	}
	fresh := func() *loopguard.Detector { return loopguard.NewTracker().Detector(event.TriggerRef{Name: "t"}) }
	objects := []string{"ConfigMap", "Job", "Deployment of an Application", "Application", "Event"}

	d := fresh()
	want("nothing", d, nil, nil)
	d.Call(t.Context())
	want("call", d, []string{"request"}, objects)

	d = fresh()
	made := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e"}, InvolvedObject: corev1.ObjectReference{Namespace: e.namespace}}
	e.act(d, event.Event{}, made)
	want("Event", d, []string{"Event", "request"}, nil)

	d = fresh()
	application := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": map[string]any{"name": "x", "namespace": e.namespace}}}
	_ = d.Client(e.inner).Patch(t.Context(), application, client.RawPatch(types.MergePatchType, []byte(`{}`))) // the kind is not installed
	want("Application", d, []string{"Deployment of an Application", "Application", "Event", "request"}, nil)

	d = fresh()
	_ = d.Client(e.inner).Delete(t.Context(), e.object()) // there is none
	want("deletion", d, append(objects, "request"), nil)
}
