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

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// workerTemplate tests that worker templates are read from system namespaces only, that
// worker properties can set only the parameters of the template, and that templates cannot
// change the name, the namespace and the ServiceAccount of the Deployment.
func workerTemplate(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	const template = `
apiVersion: core.oam.dev/v1alpha1
kind: Definition
metadata: {namespace: %s, name: trigger-worker-small}
spec:
  type: trigger-worker
  templates:
    main.cue: |
      deployment: {
        metadata: {name: "x", namespace: "vela-system", labels: team: "a"}
        spec: {
          selector: matchLabels: x: "y"
          template: spec: {
            serviceAccountName: "kube-trigger-controller"
            containers: [{
              name: "kube-trigger"
              "image": image
              args: ["run", "--trigger-service=\(triggerService.namespace)/\(triggerService.name)", "--log-format=json", "--workers=\(parameter.workers)"]
            }]
          }
        }
      }
      triggerService: {...}
      image: string
      parameter: workers: *%s | int
`
	i.apply(t, fmt.Sprintf(template, ns, "1"))
	i.apply(t, bumpTriggers(ns, "main", "  worker: {template: small}"))
	i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorker))
	i.apply(t, fmt.Sprintf(template, "vela-system", "7"))
	i.waitForReady(t, ns, "main")
	var d appsv1.Deployment
	key := types.NamespacedName{Namespace: ns, Name: "kube-trigger-main"}
	if err := i.admin.Get(t.Context(), key, &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	if pod.ServiceAccountName != "kube-trigger-worker" || pod.Containers[0].Args[3] != "--workers=7" || pod.Containers[0].Image != i.workerImage(t) ||
		d.Labels["team"] != "a" || len(d.Spec.Selector.MatchLabels) != 4 {
		t.Errorf("got Deployment %+v, want the fields of the template and the worker's name and ServiceAccount", d)
	}
	restricted := fmt.Sprintf(template, "vela-system", "7")
	i.apply(t, strings.Replace(restricted, "name: trigger-worker-small}", `name: trigger-worker-small, annotations: {trigger.oam.dev/namespaces: "other, x-*"}}`, 1))
	i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorker))
	i.apply(t, strings.Replace(restricted, "name: trigger-worker-small}", `name: trigger-worker-small, annotations: {trigger.oam.dev/namespaces: "other, `+ns+`"}}`, 1))
	i.waitForReady(t, ns, "main")
	for _, properties := range []string{
		"{image: x}", "{command: [sh]}", "{serviceAccountName: x}", "{serviceAccount: x}", "{workers: x}",
	} {
		i.apply(t, bumpTriggers(ns, "main", "  worker: {template: small, properties: "+properties+"}"))
		i.waitForService(t, ns, "main", hasCondition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorker))
	}
	var got appsv1.Deployment
	if err := i.admin.Get(t.Context(), key, &got); err != nil {
		t.Fatal(err)
	}
	if got.Generation != d.Generation {
		t.Errorf("invalid worker properties: got changed Deployment %+v, want generation %d", got, d.Generation)
	}
}

// workerImage returns the value of the controller's flag --worker-image.
func (i *installation) workerImage(t *testing.T) string {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: "vela-system", Name: "kube-trigger-controller"}, d); err != nil {
		t.Fatal(err)
	}
	for _, arg := range d.Spec.Template.Spec.Containers[0].Args {
		if image, ok := strings.CutPrefix(arg, "--worker-image="); ok {
			return image
		}
	}
	t.Fatal("got no --worker-image in the arguments of the controller")
	return ""
}
