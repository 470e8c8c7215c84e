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

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// env is a namespace of a cluster in which a test writes ConfigMaps.
type env struct {
	*testing.T
	config    *rest.Config
	client    kubernetes.Interface
	namespace string
}

func newEnv(t *testing.T) env {
	c := cluster.Start(t)
	return env{T: t, config: c.Config, client: c.Client(t), namespace: c.Namespace(t)}
}

// properties returns the properties that select the ConfigMaps of the namespace, except
// the one that the control plane creates.
func (e env) properties(more string) string {
	return fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "namespace": %q, "fieldSelector": "metadata.name!=kube-root-ca.crt"%s}`, e.namespace, more)
}

func (e env) create(name string, labels map[string]string) *corev1.ConfigMap {
	e.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: map[string]string{"n": "0"}}
	cm, err := e.client.CoreV1().ConfigMaps(e.namespace).Create(e.Context(), cm, metav1.CreateOptions{FieldManager: "creator"})
	if err != nil {
		e.Fatal(err)
	}
	return cm
}

func (e env) update(name, patch string) *corev1.ConfigMap {
	e.Helper()
	cm, err := e.client.CoreV1().ConfigMaps(e.namespace).Patch(e.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "patcher"})
	if err != nil {
		e.Fatal(err)
	}
	return cm
}

func (e env) delete(name string) {
	e.Helper()
	if err := e.client.CoreV1().ConfigMaps(e.namespace).Delete(e.Context(), name, metav1.DeleteOptions{}); err != nil {
		e.Fatal(err)
	}
}

// want compares events with "type name".
func (e env) want(got []event.Event, want ...string) {
	e.Helper()
	for i, w := range want {
		kind, name, _ := strings.Cut(w, " ")
		want[i] = kind + " " + e.namespace + "/" + name
	}
	if diff := cmp.Diff(want, brief(got)); diff != "" {
		e.Error(diff)
	}
}

func getOptions() metav1.GetOptions { return metav1.GetOptions{} }

// rule returns a rule that allows verbs on a resource of the core group.
func rule(resource string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{resource}, Verbs: verbs}
}
