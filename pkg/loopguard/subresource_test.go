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
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// deployment creates a Deployment, and passes its event to the detector.
func (e *env) deployment() *appsv1.Deployment {
	e.Helper()
	labels := map[string]string{"app": "x"}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: e.namespace},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}},
			},
		},
	}
	d, err := e.kube.AppsV1().Deployments(e.namespace).Create(e.Context(), d, metav1.CreateOptions{})
	e.noError(err)
	e.wantOwn(e.latestDeployment(), false)
	return d
}

// latestDeployment returns the event of the Deployment's latest revision.
func (e *env) latestDeployment() event.Event {
	e.Helper()
	d, err := e.kube.AppsV1().Deployments(e.namespace).Get(e.Context(), "x", metav1.GetOptions{})
	e.noError(err)
	return event.Event{
		Type: event.Update, Key: d.Namespace + "/" + d.Name, ID: string(d.UID) + "@" + d.ResourceVersion,
		Data: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"resourceVersion": d.ResourceVersion}},
	}
}

func TestOwnWrite_Subresource(t *testing.T) {
	e := newEnv(t)
	d := e.deployment()
	u := func() client.Object {
		u := &unstructured.Unstructured{}
		u.SetAPIVersion("apps/v1")
		u.SetKind("Deployment")
		u.SetNamespace(d.Namespace)
		u.SetName(d.Name)
		return u
	}
	replicas := func(n int) client.Patch {
		return client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n))
	}
	e.noError(e.client.SubResource("scale").Patch(t.Context(), u(), replicas(1)))
	e.wantOwn(e.latestDeployment(), true)

	scale := &autoscalingv1.Scale{}
	current, err := e.kube.AppsV1().Deployments(e.namespace).GetScale(t.Context(), "x", metav1.GetOptions{})
	e.noError(err)
	current.DeepCopyInto(scale)
	scale.Spec.Replicas = 3
	e.noError(e.client.SubResource("scale").Update(t.Context(), d.DeepCopy(), client.WithSubResourceBody(scale)))
	e.wantOwn(e.latestDeployment(), true)

	observed := client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":7}}`))
	e.noError(e.client.Status().Patch(t.Context(), u(), observed))
	e.wantOwn(e.latestDeployment(), true)
	// A patch without a change is answered with the revision of another client.
	theirs, err := e.kube.AppsV1().Deployments(e.namespace).Patch(t.Context(), "x", types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{})
	e.noError(err)
	e.noError(e.client.Status().Patch(t.Context(), u(), observed))
	if e.latestDeployment().ID != string(theirs.UID)+"@"+theirs.ResourceVersion {
		t.Fatal("the patch changed the object")
	}
	e.wantOwn(e.latestDeployment(), false)
	now, err := e.kube.AppsV1().Deployments(e.namespace).Get(t.Context(), "x", metav1.GetOptions{})
	e.noError(err)
	e.noError(e.client.Status().Patch(t.Context(), u(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"observedGeneration":8}}`)), client.DryRunAll))
	now.Status.ObservedGeneration = 9
	e.noError(e.client.Status().Update(t.Context(), now))
	e.wantOwn(e.latestDeployment(), true)
}

// TestClient_TokenSubresource gets a token, which is not a revision of an object.
func TestClient_TokenSubresource(t *testing.T) {
	e := newEnv(t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: e.namespace}}
	if err := e.client.Create(t.Context(), account); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	token := &authenticationv1.TokenRequest{}
	e.noError(e.client.SubResource("token").Create(t.Context(), account, token))
	if token.Status.Token == "" {
		t.Error("no token")
	}
	if e.detector.Circular(event.Event{ID: string(token.UID) + "@" + token.ResourceVersion}) {
		t.Error("the token is recorded")
	}
}

// TestClient_FieldManager writes as the trigger's field manager.
func TestClient_FieldManager(t *testing.T) {
	e := newEnv(t)
	o := e.object()
	o.Object["data"] = map[string]any{"count": "1"}
	e.noError(e.client.Create(t.Context(), o))
	o.Object["data"] = map[string]any{"count": "2"}
	e.noError(e.client.Update(t.Context(), o))
	e.noError(e.client.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"data":{"other":"1"}}`))))
	e.noError(e.patch(types.ApplyPatchType, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"third":"1"}}`))
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": e.namespace},
	}}
	e.noError(e.client.Status().Patch(t.Context(), namespace, client.RawPatch(types.MergePatchType, []byte(
		`{"status":{"conditions":[{"type":"NamespaceContentRemaining","status":"False"}]}}`))))
	e.noError(e.inner.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	for _, m := range o.GetManagedFields() {
		if m.Manager != "kube-trigger/self" {
			t.Errorf("manager %q", m.Manager)
		}
	}
	if len(o.GetManagedFields()) != 2 { // of updates, and of the applied field
		t.Errorf("managed fields %v", o.GetManagedFields())
	}
	if !slices.ContainsFunc(namespace.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == "kube-trigger/self" && m.Subresource == "status"
	}) {
		t.Errorf("managed fields of the namespace: %v", namespace.GetManagedFields())
	}
}
