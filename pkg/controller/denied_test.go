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

package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestReconcile_WriteDenied: while an admission policy denies a write of an object, the status
// says so. The write succeeds once the policy is gone.
func TestReconcile_WriteDenied(t *testing.T) {
	for _, resource := range []string{"definitions.core.oam.dev", "serviceaccounts", "deployments.apps"} {
		t.Run(resource, func(t *testing.T) {
			e := newEnv(t)
			binding := e.denyWrites(t, resource)
			e.start(t)
			ts := e.createService(t)
			waitForReason := func(reason, message string) {
				t.Helper()
				cluster.Eventually(t, "reason "+reason, func(ctx context.Context) error {
					if err := e.client.Get(ctx, client.ObjectKeyFromObject(ts), ts); err != nil {
						return err
					}
					c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionWorkerAvailable)
					if c == nil || c.Reason != reason || !strings.Contains(c.Message, message) {
						return fmt.Errorf("got conditions %+v, want WorkerAvailable with reason %s and %q in its message", ts.Status.Conditions, reason, message)
					}
					return nil
				})
			}
			waitForReason(v1alpha1.ReasonWriteDenied, "not on a Sunday")
			if !meta.IsStatusConditionTrue(ts.Status.Conditions, v1alpha1.ConditionValidated) {
				t.Errorf("got conditions %+v, want Validated to be true", ts.Status.Conditions)
			}
			if err := e.client.Delete(t.Context(), binding); err != nil {
				t.Fatal(err)
			}
			waitForReason(v1alpha1.ReasonStarting, "")
		})
	}
}

// denyWrites has an admission policy deny writes of a resource in the namespace of e,
// and waits until the API server enforces it. It returns the policy's binding.
func (e *env) denyWrites(t *testing.T, resource string) client.Object {
	t.Helper()
	plural, group, _ := strings.Cut(resource, ".")
	err := cluster.Apply(t.Context(), e.client, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    resourceRules: [{apiGroups: [%[2]q], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [%[3]s]}]
  validations: [{expression: "object.metadata.name == 'own'", message: not on a Sunday}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s, validationActions: [Deny]}
`, e.ns, group, plural))
	if err != nil {
		t.Fatal(err)
	}
	probe := "metadata: {namespace: %s, name: probe}\n" + map[string]string{
		"definitions":     "apiVersion: core.oam.dev/v1alpha1\nkind: Definition\nspec: {type: probe, templates: {}}",
		"serviceaccounts": "apiVersion: v1\nkind: ServiceAccount",
		"deployments": `apiVersion: apps/v1
kind: Deployment
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}`,
	}[plural]
	cluster.Eventually(t, "the policy", func(ctx context.Context) error {
		err := cluster.Apply(ctx, e.client, fmt.Sprintf(probe, e.ns))
		if err == nil || !strings.Contains(err.Error(), "not on a Sunday") {
			return fmt.Errorf("got %w, want a denial", err)
		}
		return nil
	})
	binding := &unstructured.Unstructured{}
	binding.SetGroupVersionKind(schema.GroupVersionKind{Group: "admissionregistration.k8s.io", Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"})
	binding.SetName(e.ns)
	return binding
}
