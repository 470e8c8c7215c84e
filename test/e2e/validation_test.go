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

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// invalidTrigger tests that the status reports all errors of invalid triggers with their
// paths, and that valid triggers of the same TriggerService run.
func invalidTrigger(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.createApplication(t, ns, "web")
	i.applyConfigMap(t, ns, "web", "0")
	i.apply(t, bumpTriggers(ns, "main", fmt.Sprintf(`    - name: fields
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, evnts: [update]}}
      filter: context.dta.x == 1
      action: {type: bump-application-revision}
    - name: action
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s}}
      filter: context.data.x == "a"
      action: {type: bump-applicatoin-revision}
`, ns, ns)))
	ts := i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidTriggers))
	message := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated).Message
	for _, want := range []string{
		"spec.triggers[1].filter:1:9: ", "spec.triggers[1].source.properties.evnts: ", `spec.triggers[2].action.type: unknown action "bump-applicatoin-revision"; did you mean`,
	} {
		if !strings.Contains(message, want) {
			t.Errorf("got message\n%s\nwant %q", message, want)
		}
	}
	i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.ReadyTriggers != "1/3" || ts.Status.Triggers[1].State != v1alpha1.TriggerInvalid {
			return fmt.Errorf("got status %+v, want 1/3 ready triggers", ts.Status)
		}
		return nil
	})
	i.applyConfigMap(t, ns, "web", "1")
	i.waitForVersion(t, ns, "web", "2")
}

// resourceLimits tests that a filter that exceeds the limits is rejected, and that the
// controller, the worker and the other triggers continue to run.
func resourceLimits(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.createApplication(t, ns, "web")
	i.applyConfigMap(t, ns, "web", "0")
	i.apply(t, bumpTriggers(ns, "main", ""))
	i.waitForReady(t, ns, "main")
	i.apply(t, bumpTriggers(ns, "main", fmt.Sprintf(`    - name: endless
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s}}
      filter: |
        import "list"
        len([for a in list.Range(0, 100000, 1) for b in list.Range(0, 100000, 1) {a}]) == context.data.x
      action: {type: bump-application-revision}
`, ns)))
	ts := i.waitForService(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.ReadyTriggers != "1/2" || ts.Status.Triggers[1].Reason != v1alpha1.TriggerReasonRejected {
			return fmt.Errorf("got status %+v, want 1/2 ready triggers and a rejected one", ts.Status)
		}
		return nil
	})
	c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
	if c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "spec.triggers[1].filter: check exceeds the memory or time limit") {
		t.Errorf("got condition %+v, want False and the exceeded limit", c)
	}
	i.applyConfigMap(t, ns, "web", "1")
	i.waitForVersion(t, ns, "web", "2")
	for _, p := range append(i.node.Pods(ns), i.node.Pods("vela-system")...) {
		if p.Starts() != 1 {
			t.Errorf("pod %s: got %d starts, want 1", p.Name, p.Starts())
		}
	}
}

// schemaValidation tests that the schemas of the CRDs reject invalid objects, and accept
// manifests of the original kube-trigger.
func schemaValidation(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	trigger := "    - {name: bump, source: {type: a}, action: {type: b}}\n"
	for want, text := range map[string]string{
		"two triggers have the same name":                    bumpTriggers(ns, "main", trigger),
		"spec.triggers in body should have at least 1 items": fmt.Sprintf("apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {namespace: %s, name: main}\nspec: {triggers: []}", ns),
		"spec.worker.template":                               bumpTriggers(ns, "main", "  worker: {template: ../x}"),
		"spec.triggers[1].name: Too long":                    bumpTriggers(ns, "main", "    - {name: "+strings.Repeat("a", 64)+", source: {type: a}, action: {type: b}}\n"),
	} {
		if err := cluster.Apply(t.Context(), i.admin, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: original}
spec:
  worker: {template: default, properties: {config: {maxRetry: 3, workers: 2}}}
  triggers:
    - source:
        type: resource-watcher
        properties: {apiVersion: apps/v1, kind: Deployment, namespace: %[1]s, events: [update]}
      filter: context.data.status.readyReplicas == context.data.status.replicas
      action: {type: bump-application-revision, properties: {namespace: %[1]s, nameSelector: {fromLabel: a}}}
---
apiVersion: standard.oam.dev/v1alpha1
kind: EventListener
metadata: {namespace: %[1]s, name: original}
events:
  - resource: {apiVersion: v1, kind: Pod, name: a, namespace: b}
    timestamp: "2026-01-02T03:04:05Z"
    type: update
    data: {any: [thing]}
`, ns))
	i.waitForReady(t, ns, "original")
	listener := &v1alpha1.EventListener{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: "original"}, listener); err != nil {
		t.Fatal(err)
	}
	if len(listener.Events) != 1 || string(listener.Events[0].Data.Raw) != `{"any":["thing"]}` {
		t.Errorf("got events %+v, want the event of the manifest", listener.Events)
	}
}
