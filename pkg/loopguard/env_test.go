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
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/loopguard"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// env is a ConfigMap "x", and the detector of a trigger.
type env struct {
	*testing.T
	kube      kubernetes.Interface
	namespace string
	tracker   *loopguard.Tracker
	detector  *loopguard.Detector
	// client is the trigger's client, inner the client that it wraps.
	client, inner client.Client
	// beforePatch is called before a patch is sent, if it is set.
	beforePatch func()
	sent        []string
}

// interceptor is the client that the trigger's client wraps.
type interceptor struct {
	client.Client
	env *env
}

func (s interceptor) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	data, _ := patch.Data(obj)
	s.env.sent = append(s.env.sent, string(data))
	if s.env.beforePatch != nil {
		s.env.beforePatch()
	}
	return s.Client.Patch(ctx, obj, patch, opts...)
}

func newEnv(t *testing.T) *env {
	c := cluster.Start(t)
	e := &env{T: t, kube: c.Client(t), namespace: c.Namespace(t), tracker: loopguard.NewTracker()}
	e.detector = e.tracker.Detector(event.TriggerRef{Name: "self"})
	e.connect(c.Config)
	return e
}

func (e *env) connect(config *rest.Config) {
	e.Helper()
	inner, err := client.New(config, client.Options{})
	e.noError(err)
	e.inner = interceptor{inner, e}
	e.client = e.detector.Client(e.inner)
}

func (e *env) noError(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// edit writes as another client, and returns the event.
func (e *env) edit(patch string) event.Event {
	e.Helper()
	o, err := e.kube.CoreV1().ConfigMaps(e.namespace).Patch(e.Context(), "x", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "user"})
	e.noError(err)
	return updateEvent(o)
}

func (e *env) create() event.Event {
	e.Helper()
	o, err := e.kube.CoreV1().ConfigMaps(e.namespace).Create(e.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
	e.noError(err)
	return updateEvent(o)
}

func updateEvent(o *corev1.ConfigMap) event.Event {
	return event.Event{
		Type: event.Update, Key: o.Namespace + "/" + o.Name, ID: string(o.UID) + "@" + o.ResourceVersion,
		Data: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"resourceVersion": o.ResourceVersion}},
	}
}

// latest returns the event of the object's latest revision.
func (e *env) latest() event.Event {
	e.Helper()
	o, err := e.kube.CoreV1().ConfigMaps(e.namespace).Get(e.Context(), "x", metav1.GetOptions{})
	e.noError(err)
	return updateEvent(o)
}

func (e *env) wantOwn(ev event.Event, want bool) {
	e.Helper()
	got, err := e.detector.OwnWrite(e.Context(), ev)
	e.noError(err)
	if got != want {
		e.Errorf("own is %v, want %v", got, want)
	}
}

func (e *env) object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": e.namespace, "name": "x"},
	}}
}

func (e *env) patch(kind types.PatchType, data string) error {
	opts := []client.PatchOption{}
	if kind == types.ApplyPatchType {
		opts = append(opts, client.ForceOwnership)
	}
	return e.client.Patch(e.Context(), e.object(), client.RawPatch(kind, []byte(data)), opts...)
}
