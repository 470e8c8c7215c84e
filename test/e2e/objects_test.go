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

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
)

// condition returns a check of a condition of a TriggerService.
func condition(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.TriggerService) error {
	return func(ts *v1alpha1.TriggerService) error {
		c := meta.FindStatusCondition(ts.Status.Conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != ts.Generation {
			return fmt.Errorf("want condition %s=%s with reason %s, got %+v", kind, status, reason, ts.Status)
		}
		return nil
	}
}

// expectValue waits until a ConfigMap has a value.
func (i *installation) expectValue(t *testing.T, namespace, name, key, want string) {
	t.Helper()
	cluster.Eventually(t, "ConfigMap "+name, func(ctx context.Context) error {
		cm := &corev1.ConfigMap{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, cm); err != nil {
			return err
		}
		if cm.Data[key] != want {
			return fmt.Errorf("%s is %q, want %q", key, cm.Data[key], want)
		}
		return nil
	})
}

// waitForStamp edits the ConfigMap "in" until the action writes want.
func (i *installation) waitForStamp(t *testing.T, namespace, want string) {
	t.Helper()
	n := 0
	cluster.Eventually(t, "action "+want, func(ctx context.Context) error {
		n++
		if err := cluster.Apply(ctx, i.admin, configMap(namespace, "in", fmt.Sprint(want, n))); err != nil {
			return err
		}
		out := &corev1.ConfigMap{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "out"}, out); err != nil {
			return err
		}
		if got := out.Data["stamp"]; !strings.HasPrefix(got, want) {
			return fmt.Errorf("got stamp %q", got)
		}
		return nil
	})
}

// delete deletes the first object of text.
func (i *installation) delete(t *testing.T, text string) {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096).Decode(&o.Object); err != nil {
		t.Fatal(err)
	}
	if err := i.admin.Delete(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// account creates a ServiceAccount with the rights of workers and additional rules.
func (i *installation) account(t *testing.T, namespace, name, rules string) {
	t.Helper()
	i.apply(t, fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: %[2]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: %[2]s}
rules: %[3]s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[2]s}
subjects: [{kind: ServiceAccount, name: %[2]s, namespace: %[1]s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: %[2]s-worker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kube-trigger-worker}
subjects: [{kind: ServiceAccount, name: %[2]s, namespace: %[1]s}]
`, namespace, name, rules))
}

// activePod returns the worker that holds the Lease.
func (i *installation) activePod(t *testing.T, namespace string) *pods.Pod {
	t.Helper()
	var found *pods.Pod
	cluster.Eventually(t, "the active worker", func(ctx context.Context) error {
		lease := &coordinationv1.Lease{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "main-store"}, lease); err != nil {
			return err
		}
		for _, p := range i.node.Pods(namespace) {
			if lease.Spec.HolderIdentity != nil && p.Name == *lease.Spec.HolderIdentity {
				found = p
				return nil
			}
		}
		return fmt.Errorf("held by %v", lease.Spec.HolderIdentity)
	})
	return found
}

// writeObject writes o to a file and returns its path.
func writeObject(t *testing.T, file string, o any) string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
