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
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// bumpTriggers returns the YAML of a TriggerService. For updates of a ConfigMap with the
// prefix "web", its trigger "bump" bumps the Application of the same name. extra is appended
// to the spec: further triggers first, then further fields.
func bumpTriggers(namespace, name, extra string) string {
	return fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: %[2]s}
spec:
  triggers:
    - name: bump
      source:
        type: resource-watcher
        properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}
      filter: 'context: data: metadata: name: =~"^web"'
      action: {type: bump-application-revision}
%[3]s
`, namespace, name, extra)
}

// bumpApplication tests that the update of a ConfigMap bumps an Application, and that the
// deletion of the TriggerService deletes all objects that belong to it.
func bumpApplication(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.createApplication(t, ns, "web")
	i.applyConfigMap(t, ns, "web", "0")
	i.applyConfigMap(t, ns, "other", "0")
	i.apply(t, bumpTriggers(ns, "main", ""))
	i.waitForReady(t, ns, "main")
	i.applyConfigMap(t, ns, "other", "1")
	i.applyConfigMap(t, ns, "web", "1")
	i.waitForVersion(t, ns, "web", "2")
	ts := i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.Succeeded != 1 || ts.Status.LastActionTime == nil {
			return fmt.Errorf("got status %+v, want one successful action", ts.Status)
		}
		return nil
	})
	got := ts.Status.Triggers[0]
	if got.Name != "bump" || got.State != v1alpha1.TriggerRunning || got.Matched != 1 || got.Filtered != 1 || got.Succeeded != 1 ||
		got.Failed != 0 || got.DeadLetters != 0 || got.LastEventTime == nil || got.LastActionTime == nil || ts.Status.ReadyTriggers != "1/1" {
		t.Errorf("got status %+v, want 1 ready trigger, 1 matched, 1 filtered and 1 successful event", ts.Status)
	}
	if starts := i.singlePod(t, ns).Starts(); starts != 1 {
		t.Errorf("got %d starts of the worker, want 1", starts)
	}

	if err := i.admin.Delete(t.Context(), ts); err != nil {
		t.Fatal(err)
	}
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}, &corev1.PodList{}, &corev1.ServiceAccountList{}, &rbacv1.RoleBindingList{},
		&coordinationv1.LeaseList{}, &v1alpha1.TriggerCheckpointList{}, &v1alpha1.TriggerEventList{}, &corev1alpha1.DefinitionList{},
	} {
		i.waitForDeletion(t, ns, list)
	}
}
