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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/utils/ptr"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
)

// hasCondition returns a check that a condition has a status and a reason, for the
// generation of the TriggerService.
func hasCondition(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.TriggerService) error {
	return func(ts *v1alpha1.TriggerService) error {
		c := meta.FindStatusCondition(ts.Status.Conditions, kind)
		if c == nil || c.Status != status || c.Reason != reason || c.ObservedGeneration != ts.Generation {
			return fmt.Errorf("got status %+v, want condition %s=%s with reason %s", ts.Status, kind, status, reason)
		}
		return nil
	}
}

// waitForValue waits until the value of a key of a ConfigMap is want.
func (i *installation) waitForValue(t *testing.T, namespace, name, key, want string) {
	t.Helper()
	cluster.Eventually(t, "key "+key+" of ConfigMap "+name, func(ctx context.Context) error {
		cm := &corev1.ConfigMap{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, cm); err != nil {
			return err
		}
		if cm.Data[key] != want {
			return fmt.Errorf("got value %q, want %q", cm.Data[key], want)
		}
		return nil
	})
}

// waitForStamp updates the ConfigMap "in" repeatedly, until the action "stamp" writes a value
// with a prefix. An update that runs an earlier version of the action does not fail the test.
func (i *installation) waitForStamp(t *testing.T, namespace, prefix string) {
	t.Helper()
	n := 0
	cluster.Eventually(t, fmt.Sprintf("stamp with prefix %q", prefix), func(ctx context.Context) error {
		n++
		if err := cluster.Apply(ctx, i.admin, configMap(namespace, "in", fmt.Sprint(prefix, n))); err != nil {
			return err
		}
		out := &corev1.ConfigMap{}
		if err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "out"}, out); err != nil {
			return err
		}
		if got := out.Data["stamp"]; !strings.HasPrefix(got, prefix) {
			return fmt.Errorf("got stamp %q, want prefix %q", got, prefix)
		}
		return nil
	})
}

// delete deletes the object of the first YAML document of text.
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

// createServiceAccount creates a ServiceAccount with the rights of workers and the rules of
// an additional Role.
func (i *installation) createServiceAccount(t *testing.T, namespace, name, rules string) {
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
metadata: {namespace: %[1]s, name: %[2]s-default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kube-trigger-default}
subjects: [{kind: ServiceAccount, name: %[2]s, namespace: %[1]s}]
`, namespace, name, rules))
}

// allowConfigMaps lets the triggers of a namespace write ConfigMaps.
func (i *installation) allowConfigMaps(t *testing.T, namespace string) {
	t.Helper()
	i.apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: %[1]s, name: configmaps}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [create, patch, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: %[1]s, name: configmaps}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: configmaps}
subjects: [{kind: ServiceAccount, name: kube-trigger, namespace: %[1]s}]
`, namespace))
}

// activePod waits until a pod holds the Lease of the worker of the TriggerService main, its own
// or that of the namespace, and returns it.
func (i *installation) activePod(t *testing.T, namespace string) *pods.Pod {
	t.Helper()
	var active *pods.Pod
	cluster.Eventually(t, "active worker", func(ctx context.Context) error {
		lease := &coordinationv1.Lease{}
		err := i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "kube-trigger"}, lease)
		if apierrors.IsNotFound(err) {
			err = i.admin.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "main-worker"}, lease)
		}
		if err != nil {
			return err
		}
		for _, p := range i.node.Pods(namespace) {
			if lease.Spec.HolderIdentity != nil && p.Name == *lease.Spec.HolderIdentity {
				active = p
				return nil
			}
		}
		return fmt.Errorf("got Lease holder %q, want a running pod", ptr.Deref(lease.Spec.HolderIdentity, ""))
	})
	return active
}

// writeObject writes o to a file as JSON, and returns file.
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
