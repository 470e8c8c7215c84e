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

package app

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestExample_VelaQL runs examples/velaql for an Application that is created, and then
// gets a Pod.
func TestExample_VelaQL(t *testing.T) {
	e := newEnv(t)
	e.InstallKubeVelaCRDs(t)
	admin, err := client.New(e.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	create := func(o client.Object) {
		t.Helper()
		if err := admin.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile("../../examples/velaql/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("default", e.namespace, "interval: 5s", "interval: 1s").Replace(string(text))
	p := startRun(t, e.options(t, config))
	if l := p.waitForLog(t, "Source failed")[0]; !strings.Contains(fmt.Sprint(l["err"]), `"web" not found`) {
		t.Errorf("got %v", l)
	}
	e.createApplication(t, "web")
	app, err := e.applications.Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		cluster.Eventually(t, "ConfigMap pods-of-web", func(ctx context.Context) error {
			m, err := e.Client(t).CoreV1().ConfigMaps(e.namespace).Get(ctx, "pods-of-web", metav1.GetOptions{})
			if err == nil && m.Data["result"] != want {
				err = fmt.Errorf("got %v, want %s", m.Data, want)
			}
			return err
		})
	}
	expect("{}")
	create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: e.namespace}})
	create(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: e.namespace},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "nothing"}}},
	})
	create(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "ResourceTracker",
		"metadata": map[string]any{
			"name":   "web-" + e.namespace,
			"labels": map[string]any{"app.oam.dev/name": "web", "app.oam.dev/namespace": e.namespace, "app.oam.dev/uid": string(app.GetUID())},
		},
		"spec": map[string]any{
			"type": "versioned", "applicationGeneration": app.GetGeneration(),
			"managedResources": []any{map[string]any{"apiVersion": "v1", "kind": "Pod", "namespace": e.namespace, "name": "web-0", "component": "web"}},
		},
	}})
	expect(`{"web-0":"Pending"}`)
	p.stop(t)
}
