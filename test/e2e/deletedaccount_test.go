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
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// podTemplate returns the YAML of a PodTemplate, a kind that no other test watches.
func podTemplate(namespace, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: PodTemplate\nmetadata: {namespace: %s, name: in, annotations: {value: %q}}\ntemplate: {spec: {containers: [{name: x, image: x}]}}", namespace, value)
}

// deletedAccount tests that a TriggerService whose ServiceAccount is deleted watches and does
// nothing until there is one again, and then handles what has changed meanwhile. Another one
// in the same worker continues.
func deletedAccount(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	stays := attempt{identity{ns, "stays"}, "stays", identity{ns, "none"}}
	i.createIdentity(t, stays.identity)
	i.apply(t, strings.Replace(stampDefinition(ns, writeTemplate), "trigger-action-stamp", "trigger-action-write", 1))
	i.apply(t, strings.Replace(stampDefinition(ns, strings.Replace(writeTemplate, "context.data.data.key", "context.data.metadata.annotations.value", 1)),
		"trigger-action-stamp", "trigger-action-annotation", 1))
	i.createServiceAccount(t, ns, "gone", "[{apiGroups: [''], resources: [podtemplates], verbs: [get, list, watch]}, {apiGroups: [''], resources: [configmaps], resourceNames: [out], verbs: [patch]}]")
	i.applyConfigMap(t, ns, "out", "")
	i.apply(t, podTemplate(ns, "0"))
	watches := cluster.WatchCount(t, i.Client(t), "podtemplates")
	i.apply(t, stays.yaml(""))
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: gone}
spec:
  serviceAccountName: gone
  triggers:
    - name: copy
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: PodTemplate, namespace: %[1]s, events: [update]}}
      action: {type: annotation, properties: {name: out, namespace: %[1]s, key: copy}}
`, ns))
	i.waitForReady(t, ns, "stays")
	i.waitForReady(t, ns, "gone")
	i.apply(t, podTemplate(ns, "1"))
	i.waitForValue(t, ns, "out", "copy", "1")
	cluster.WaitForWatches(t, i.Client(t), "podtemplates", watches+1)

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "gone"}}
	if err := i.admin.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	i.waitForService(t, ns, "gone", allWaiting(v1alpha1.TriggerReasonAccountNotFound))
	cluster.WaitForWatches(t, i.Client(t), "podtemplates", watches)
	for n := range 5 {
		// The API server would let it: RBAC knows the ServiceAccount by its name.
		i.apply(t, podTemplate(ns, fmt.Sprint("meanwhile-", n)))
		value := fmt.Sprint("meanwhile-", n)
		i.applyConfigMap(t, ns, "in-stays", value)
		i.waitForValue(t, ns, "out-stays", "stays", value)
	}
	out := &corev1.ConfigMap{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: "out"}, out); err != nil {
		t.Fatal(err)
	}
	if got := out.Data["copy"]; got != "1" {
		t.Errorf("without the ServiceAccount: got action for value %q, want none", got)
	}

	i.apply(t, fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: %s, name: gone}", ns))
	i.waitForValue(t, ns, "out", "copy", "meanwhile-4")
	i.waitForReady(t, ns, "gone")
	i.apply(t, podTemplate(ns, "2"))
	i.waitForValue(t, ns, "out", "copy", "2")
	if starts := i.singlePod(t, ns).Starts(); starts != 1 {
		t.Errorf("got %d starts of the worker, want 1", starts)
	}
}
