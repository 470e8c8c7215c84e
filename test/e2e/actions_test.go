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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// stampDefinition returns the Definition of the action "stamp".
func stampDefinition(namespace, template string) string {
	return fmt.Sprintf(`
apiVersion: core.oam.dev/v1alpha1
kind: Definition
metadata: {namespace: %s, name: trigger-action-stamp}
spec:
  type: trigger-action
  templates:
    main.cue: |
%s
`, namespace, indent(template, "      "))
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}

// stampTemplate returns a template that writes word to the ConfigMap "out".
func stampTemplate(word string) string {
	return fmt.Sprintf(`
import "vela/kube"
patch: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "out", namespace: context.data.metadata.namespace}}
	patch: {type: "merge", data: data: stamp: "%s \(parameter.word) \(context.data.data.key)"}
}}
parameter: word: string
`, word)
}

// expectStamp edits the ConfigMap "in" and waits until the action has written want.
func (i *installation) expectStamp(t *testing.T, ns, value, want string) {
	t.Helper()
	i.edit(t, ns, "in", value)
	i.expectValue(t, ns, "out", "stamp", want)
}

// customAction tests the Definitions of an action: one in the namespace overrides one in
// vela-system, changes take effect, and an invalid one is reported while the previous
// one stays active.
func customAction(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.edit(t, ns, "in", "0")
	i.edit(t, ns, "out", "0")
	i.apply(t, fmt.Sprintf(`
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: %[1]s, name: main}
spec:
  triggers:
    - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update], fieldSelector: metadata.name=in}}
      action: {type: stamp, properties: {word: x}}
`, ns))
	ts := i.until(t, ns, "main", condition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidTriggers))
	c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
	if !strings.Contains(c.Message, `spec.triggers[0].action.type: unknown action "stamp"`) {
		t.Errorf("message %q does not name the action", c.Message)
	}
	i.apply(t, stampDefinition("vela-system", stampTemplate("system")))
	i.ready(t, ns, "main")
	i.expectStamp(t, ns, "1", "system x 1")
	pod := i.singlePod(t, ns)

	i.apply(t, stampDefinition(ns, stampTemplate("own")))
	i.waitForStamp(t, ns, "own x")

	i.apply(t, stampDefinition(ns, "nonsense: {\n\tx: y\n"))
	ts = i.until(t, ns, "main", condition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidAction))
	c = meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
	if !strings.Contains(c.Message, "Definition "+ns+"/trigger-action-stamp:") {
		t.Errorf("message %q does not name the Definition", c.Message)
	}
	i.expectStamp(t, ns, "still", "own x still")
	pod.Kill()
	i.expectStamp(t, ns, "killed", "own x killed")

	i.apply(t, stampDefinition(ns, stampTemplate("fixed")))
	i.waitForStamp(t, ns, "fixed x")
	i.delete(t, stampDefinition(ns, "x: 1"))
	i.waitForStamp(t, ns, "system x")
	i.ready(t, ns, "main")
	if now := i.singlePod(t, ns); now != pod || pod.Starts() != 2 {
		t.Errorf("pod %s, started %d times; want %s, twice", now.Name, now.Starts(), pod.Name)
	}
}

// workerTemplate tests worker templates: users can set the template's parameters only,
// templates are read from system namespaces only, and cannot change the name, the
// namespace and the account of the Deployment.
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
	i.apply(t, bump(ns, "main", "  worker: {template: small}"))
	i.until(t, ns, "main", condition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorker))
	i.apply(t, fmt.Sprintf(template, "vela-system", "7"))
	i.ready(t, ns, "main")
	var d appsv1.Deployment
	key := types.NamespacedName{Namespace: ns, Name: "kube-trigger-main"}
	if err := i.admin.Get(t.Context(), key, &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	if pod.ServiceAccountName != "kube-trigger" || pod.Containers[0].Args[3] != "--workers=7" || pod.Containers[0].Image != i.workerImage(t) ||
		d.Labels["team"] != "a" || len(d.Spec.Selector.MatchLabels) != 4 {
		t.Errorf("Deployment %+v", d)
	}
	restricted := fmt.Sprintf(template, "vela-system", "7")
	i.apply(t, strings.Replace(restricted, "name: trigger-worker-small}", `name: trigger-worker-small, annotations: {trigger.oam.dev/namespaces: "other, x-*"}}`, 1))
	i.until(t, ns, "main", condition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorker))
	i.apply(t, strings.Replace(restricted, "name: trigger-worker-small}", `name: trigger-worker-small, annotations: {trigger.oam.dev/namespaces: "other, `+ns+`"}}`, 1))
	i.ready(t, ns, "main")
	for _, properties := range []string{
		"{image: evil}", "{command: [sh]}", "{serviceAccountName: x}", "{serviceAccount: x}", "{workers: x}",
	} {
		i.apply(t, bump(ns, "main", "  worker: {template: small, properties: "+properties+"}"))
		i.until(t, ns, "main", condition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidWorker))
	}
	var now appsv1.Deployment
	if err := i.admin.Get(t.Context(), key, &now); err != nil {
		t.Fatal(err)
	}
	if now.Generation != d.Generation {
		t.Errorf("the Deployment was changed: %+v", now.Spec)
	}
}

// workerImage returns the controller's --worker-image.
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
	t.Fatal("the controller has no --worker-image")
	return ""
}

// invalidTrigger tests that all problems are reported with their paths, and that valid
// triggers run.
func invalidTrigger(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.application(t, ns, "web")
	i.edit(t, ns, "web", "0")
	i.apply(t, bump(ns, "main", fmt.Sprintf(`    - name: wrong
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s, evnts: [update]}}
      filter: context.dta.x == 1
      action: {type: bump-application-revision}
    - name: endless
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s}}
      filter: context.data.x == "a"
      action: {type: bump-applicatoin-revision}
`, ns, ns)))
	ts := i.until(t, ns, "main", condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInvalidTriggers))
	message := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated).Message
	for _, want := range []string{
		"spec.triggers[1].filter:1:9: ", "spec.triggers[1].source.properties.evnts: ", `spec.triggers[2].action.type: unknown action "bump-applicatoin-revision"; did you mean`,
	} {
		if !strings.Contains(message, want) {
			t.Errorf("no %q in:\n%s", want, message)
		}
	}
	i.until(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.ReadyTriggers != "1/3" || ts.Status.Triggers[1].State != v1alpha1.TriggerInvalid {
			return fmt.Errorf("status: %+v", ts.Status)
		}
		return nil
	})
	i.edit(t, ns, "web", "1")
	i.bumped(t, ns, "web", "2")
}

// resourceLimits tests that CUE that exceeds the limits is rejected, and affects neither
// the controller, nor the worker, nor other triggers.
func resourceLimits(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	i.application(t, ns, "web")
	i.edit(t, ns, "web", "0")
	i.apply(t, bump(ns, "main", ""))
	i.ready(t, ns, "main")
	i.apply(t, bump(ns, "main", fmt.Sprintf(`    - name: endless
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s}}
      filter: |
        import "list"
        len([for a in list.Range(0, 100000, 1) for b in list.Range(0, 100000, 1) {a}]) == context.data.x
      action: {type: bump-application-revision}
`, ns)))
	ts := i.until(t, ns, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.ReadyTriggers != "1/2" || ts.Status.Triggers[1].Reason != v1alpha1.TriggerReasonRejected {
			return fmt.Errorf("status %+v", ts.Status)
		}
		return nil
	})
	c := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated)
	if c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "spec.triggers[1].filter: check exceeds the memory or time limit") {
		t.Errorf("condition %+v", c)
	}
	i.edit(t, ns, "web", "1")
	i.bumped(t, ns, "web", "2")
	for _, p := range append(i.node.Pods(ns), i.node.Pods("vela-system")...) {
		if p.Starts() != 1 {
			t.Errorf("pod %s was started %d times, want once", p.Name, p.Starts())
		}
	}
}

// schemaValidation tests that the API server rejects invalid objects by their schema, and
// accepts manifests of the original kube-trigger.
func schemaValidation(t *testing.T, i *installation) {
	ns := i.Namespace(t)
	trigger := "    - {name: bump, source: {type: a}, action: {type: b}}\n"
	for what, text := range map[string]string{
		"two triggers have the same name":                    bump(ns, "main", trigger),
		"spec.triggers in body should have at least 1 items": fmt.Sprintf("apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {namespace: %s, name: main}\nspec: {triggers: []}", ns),
		"spec.worker.template":                               bump(ns, "main", "  worker: {template: ../x}"),
		"spec.triggers[1].name: Too long":                    bump(ns, "main", "    - {name: "+strings.Repeat("a", 64)+", source: {type: a}, action: {type: b}}\n"),
	} {
		if err := cluster.Apply(t.Context(), i.admin, text); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want an error with %q", err, what)
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
	i.ready(t, ns, "original")
	listener := &v1alpha1.EventListener{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: ns, Name: "original"}, listener); err != nil {
		t.Fatal(err)
	}
	if len(listener.Events) != 1 || string(listener.Events[0].Data.Raw) != `{"any":["thing"]}` {
		t.Errorf("EventListener %+v", listener.Events)
	}
}
