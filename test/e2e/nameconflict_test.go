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
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// nameConflict tests that the controller reports objects of other owners that have the names
// of its own, and does not change them.
func nameConflict(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %s, name: kube-trigger-main}
spec:
  replicas: 0
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: x, image: image}]}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: %[1]s, name: kube-trigger}
`, ns))
	i.apply(t, bumpTriggers(ns, "main", "  worker: {template: dedicated}"))
	i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionWorkerAvailable, metav1.ConditionFalse, v1alpha1.ReasonNameConflict))
	all := i.resourceVersions(t, ns)
	for _, name := range []string{"apps/v1/Deployment/kube-trigger-main", "v1/ServiceAccount/kube-trigger"} {
		if all[name] == "" {
			t.Errorf("%s: got a deletion, want no change", name)
		}
	}
	if all["rbac.authorization.k8s.io/v1/RoleBinding/kube-trigger-default"] != "" {
		t.Error("got a RoleBinding for the ServiceAccount of another owner, want none")
	}
	i.delete(t, fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: %s, name: kube-trigger-main}", ns))
	i.delete(t, fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: %s, name: kube-trigger}", ns))
	cluster.Eventually(t, "update of the TriggerService", func(ctx context.Context) error {
		return cluster.Apply(ctx, i.admin, bumpTriggers(ns, "main", "  suspend: true\n  worker: {template: dedicated}"))
	})
	i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended))
}
