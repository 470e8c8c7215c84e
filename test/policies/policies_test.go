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

// Package policies tests the ValidatingAdmissionPolicies of the addon on a real API server.
package policies

import (
	"context"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// env is a cluster with the policies, and clients of its users.
type env struct {
	*cluster.Cluster
	admin client.Client
}

// TestPolicies runs its subtests in one cluster, in separate namespaces.
func TestPolicies(t *testing.T) {
	c := cluster.Start(t, cluster.Own())
	c.InstallApplicationCRD(t)
	c.InstallKubeTrigger(t)
	e := env{Cluster: c}
	e.admin = e.client(t, "")
	t.Run("Controller", e.controller)
	t.Run("TriggerEvents", e.triggerEvents)
	t.Run("Applications", e.applications)
}

// client returns a client of a user, or of an administrator.
func (e env) client(t *testing.T, user string) client.Client {
	t.Helper()
	config := e.Config
	if user != "" {
		config = e.User(user)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// account returns the user name of a ServiceAccount.
func account(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}

// bind binds a ClusterRole to a user, in namespace or, if that is empty, in all of them.
func (e env) bind(t *testing.T, namespace, user, role string) {
	t.Helper()
	kind, where := "RoleBinding", ", namespace: "+namespace
	if namespace == "" {
		kind, where = "ClusterRoleBinding", ""
	}
	e.apply(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: %s
metadata: {name: %q%s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %q}]
`, kind, strings.ReplaceAll(user, ":", "-"), where, role, user))
}

// apply creates or updates the objects of YAML documents, as an administrator.
func (e env) apply(t *testing.T, text string) {
	t.Helper()
	if err := cluster.Apply(t.Context(), e.admin, text); err != nil {
		t.Fatal(err)
	}
}

// object returns an object with a kind and name only.
func object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, kind))
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// mergePatch patches an object as a user.
func mergePatch(ctx context.Context, c client.Client, o *unstructured.Unstructured, patch string) error {
	return c.Patch(ctx, o.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
}

// expect checks that a policy denies a write with the message want, or that the write
// succeeds if want is empty. The API server enforces policies soon after they are created:
// expect waits for a denial.
func expect(t *testing.T, want string, write func(ctx context.Context) error) {
	t.Helper()
	if want == "" {
		if err := write(t.Context()); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		return
	}
	cluster.Eventually(t, "denial", func(ctx context.Context) error {
		err := write(ctx)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'kube-trigger-") || !strings.Contains(err.Error(), want) {
			return fmt.Errorf("got %w, want the denial %q", err, want)
		}
		return nil
	})
}
