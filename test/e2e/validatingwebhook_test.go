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
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	corev1alpha1 "github.com/kubevela/kube-trigger/pkg/api/core/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/pods"
)

// webhookFile is the manifest of the webhook.
const webhookFile = "../../addon/webhook/webhook.yaml"

// webhookConfiguration returns the ValidatingWebhookConfiguration of webhookFile with another
// name, restricted to namespaces, and with a URL instead of the Service.
func webhookConfiguration(t *testing.T, name, url string, namespaces ...string) *admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	text, err := os.ReadFile(webhookFile)
	if err != nil {
		t.Fatal(err)
	}
	c := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	_, document, _ := strings.Cut(string(text), "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(document), c); err != nil {
		t.Fatal(err)
	}
	if len(c.Webhooks) != 2 {
		t.Fatalf("%s: got %d webhooks, want 2", webhookFile, len(c.Webhooks))
	}
	c.Name = name
	for n := range c.Webhooks {
		w := &c.Webhooks[n]
		w.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: &url}
		w.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{
			Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: namespaces,
		}}}
	}
	return c
}

// registerWebhook registers the webhook for vela-system and two new namespaces on the first
// call, and returns the two namespaces.
func (i *installation) registerWebhook(t *testing.T) (first, second string) {
	t.Helper()
	i.webhookOnce.Do(func() {
		i.webhookNamespaces = [2]string{i.Namespace(t), i.Namespace(t)}
		var controller *pods.Pod
		cluster.Eventually(t, "webhook address of the controller", func(context.Context) error {
			for _, p := range i.node.Pods("vela-system") {
				if strings.HasPrefix(p.Name, "kube-trigger-controller-") && p.Address(9443) != "" {
					controller = p
					return nil
				}
			}
			return errors.New("got no pod of the controller with port 9443")
		})
		c := webhookConfiguration(t, "kube-trigger-webhook", "https://"+controller.Address(9443), append([]string{"vela-system"}, i.webhookNamespaces[:]...)...)
		if err := i.admin.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, "call of the webhook", func(ctx context.Context) error {
			err := i.admin.Create(ctx, i.definition(i.webhookNamespaces[0], "probe", "trigger-action", "{"), client.DryRunAll)
			if !apierrors.IsInvalid(err) {
				return fmt.Errorf("got error %s, want Invalid", fmt.Sprint(err))
			}
			return nil
		})
	})
	return i.webhookNamespaces[0], i.webhookNamespaces[1]
}

// definition returns a Definition of a type with a main template.
func (i *installation) definition(namespace, name, definitionType, template string) *corev1alpha1.Definition {
	d := &corev1alpha1.Definition{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	d.Spec.Type, d.Spec.Templates = definitionType, map[string]string{corev1alpha1.MainTemplate: template}
	return d
}

// invalidTriggers returns the YAML of a TriggerService with several errors.
func invalidTriggers(namespace string) string {
	return bumpTriggers(namespace, "invalid", `    - name: two
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, evnts: [update]}}
      filter: context.dta.x == 1
      action: {type: bump-application-revision}
    - name: three
      source: {type: cron, properties: {schedule: "61 * * * *"}}
      action: {type: bump-application-revision}
  worker: {properties: {replica: 2}}`)
}

// invalidTriggerErrors returns substrings of the error messages for invalidTriggers.
func invalidTriggerErrors() []string {
	return []string{
		"spec.triggers[1].filter:1:9: ", `did you mean "data"?`, "spec.triggers[1].source.properties.evnts: ",
		`spec.triggers[2].source.type: unknown source "cron"`, "spec.worker.properties.replica: ",
	}
}

// validatingWebhook tests that the webhook denies invalid objects, with all errors and their
// positions, and allows Definitions of other types.
func validatingWebhook(t *testing.T, i *installation) {
	ns, _ := i.registerWebhook(t)
	err := cluster.Apply(t.Context(), i.admin, invalidTriggers(ns))
	for _, want := range invalidTriggerErrors() {
		if err == nil || !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want Invalid with %q", err, want)
		}
	}
	i.apply(t, bumpTriggers(ns, "main", ""))
	i.waitForReady(t, ns, "main")
	err = cluster.Apply(t.Context(), i.admin, bumpTriggers(ns, "fields", `    - name: two
      source: {type: resource-watcher, properties: {apiVersion: apps/v1, kind: Deployment}}
      filter: context.data.status.redyReplicas == 1
      action: {type: bump-application-revision}`))
	if want := `context.data.status has no field "redyReplicas" (apps/v1 Deployment); did you mean "readyReplicas"?`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %q by the schema of the cluster", err, want)
	}

	expensive := bumpTriggers(ns, "main", `    - name: expensive
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap}}
      filter: |
        import "list"
        len([for a in list.Range(0, 100000, 1) for b in list.Range(0, 100000, 1) {a}]) == context.data.x
      action: {type: bump-application-revision}`)
	err = cluster.Apply(t.Context(), i.admin, expensive)
	if err == nil || !strings.Contains(err.Error(), "check exceeds the memory or time limit") {
		t.Errorf("got error %v, want one for an exceeded limit", err)
	}
	for _, p := range i.node.Pods("vela-system") {
		if p.Starts() != 1 {
			t.Errorf("pod %s: got %d starts, want 1", p.Name, p.Starts())
		}
	}
	if ts := i.waitForReady(t, ns, "main"); ts.Generation != 1 {
		t.Errorf("after a denied update: got generation %d, want 1", ts.Generation)
	}

	err = i.admin.Create(t.Context(), i.definition(ns, "mine", corev1alpha1.TriggerAction, "parameter: {\n\tx: undefined\n}"))
	if err == nil || !strings.Contains(err.Error(), `spec.templates["main.cue"]:2:5: `) {
		t.Errorf("got error %v, want one with the position in the action", err)
	}
	err = i.admin.Create(t.Context(), i.definition("vela-system", "broken", corev1alpha1.TriggerWorker, "parameter: {}\ndeployment: undefined"))
	if err == nil || !strings.Contains(err.Error(), `spec.templates["main.cue"]:2:13: `) {
		t.Errorf("got error %v, want one with the position in the worker template", err)
	}
	required := i.definition("vela-system", "required", corev1alpha1.TriggerWorker, "parameter: x: string\ndeployment: spec: template: metadata: labels: x: parameter.x")
	if err := i.admin.Create(t.Context(), required); err != nil {
		t.Errorf("create a worker template with a required property: %v", err)
	}
	if err := i.admin.Create(t.Context(), i.definition(ns, "other", "other-type", "{")); err != nil {
		t.Errorf("create a Definition of another type: %v", err)
	}
}

// validatingWebhookWarnings tests the warnings for filters that are always true, for kinds and
// actions that do not exist yet, for missing rights, and for worker templates that are not
// read. The webhook allows these objects.
func validatingWebhookWarnings(t *testing.T, i *installation) {
	_, ns := i.registerWebhook(t)
	recorder := &warningRecorder{}
	config := rest.CopyConfig(i.Config)
	config.WarningHandler = recorder
	c, err := client.New(config, client.Options{Scheme: i.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	i.createServiceAccount(t, ns, "weak", "[]")
	text := bumpTriggers(ns, "main", fmt.Sprintf(`    - name: two
      source: {type: resource-watcher, properties: {apiVersion: example.com/v1, kind: Missing}}
      filter: len("a") == 1
      action: {type: missing-action}
    - name: several
      source: {type: cronjob, properties: {schedule: "0 * * * *"}}
      actions: [{type: log}, {type: other-missing-action}]
    - name: three
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: Secret, namespace: %s}}
      action: {type: bump-application-revision}
    - name: empty
      source: {type: cronjob, properties: {schedule: "0 * * * *"}}
      action:
        type: patch-resource
        properties: {resource: {apiVersion: v1, kind: ConfigMap, name: x}, patch: {data: {metadata: {labels: {}}}}}
    - name: four
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap}}
      filter: !context.data.immutable
      action: {type: bump-application-revision}
    - name: five
      source: {type: cronjob, properties: {schedule: "0 * * * *"}}
      action: {type: run-job, properties: {image: busybox, args: ["{{.data}}"]}, cue: "name: context.trigger.name"}
  serviceAccountName: weak`, ns))
	if err := cluster.Apply(t.Context(), c, text); err != nil {
		t.Fatal(err)
	}
	all := recorder.drain()
	for _, want := range []string{
		"spec.triggers[1].filter: is always true",
		"spec.triggers[1].source: kind Missing of example.com/v1 is not installed",
		`spec.triggers[1].action.type: unknown action "missing-action"`,
		`spec.triggers[2].actions[1].type: unknown action "other-missing-action"`,
		fmt.Sprintf(`spec.triggers[3].source: serviceaccount weak cannot list and watch secrets in %s; add to a Role: {apiGroups: [""], resources: [secrets], verbs: [list, watch]}`, ns),
		"spec.triggers[4].action.properties.patch: is empty and changes nothing",
		`spec.triggers[5].source: serviceaccount weak cannot list and watch configmaps in all namespaces; add to a ClusterRole: {apiGroups: [""], resources: [configmaps], verbs: [list, watch]}`,
		"spec.triggers[5].filter: is empty and matches every event; in YAML, a text that begins with ! needs quotes",
		"spec.triggers[6].action.properties.args[0]: {{…}} is not rendered",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("got warnings\n%s\nwant %q", all, want)
		}
	}
	if strings.Contains(all, "triggers[0]") {
		t.Errorf("got warnings\n%s\nwant none for a valid trigger", all)
	}
	if err := c.Create(t.Context(), i.definition(ns, "worker", corev1alpha1.TriggerWorker, "{")); err != nil {
		t.Fatal(err)
	}
	if all := recorder.drain(); !strings.Contains(all, "worker templates are only read from namespaces [vela-system]") {
		t.Errorf("got warnings %q, want one for the namespace of the worker template", all)
	}
	// The default ServiceAccount does not exist yet. The controller creates it with the rights
	// of kube-trigger-default.
	if err := cluster.Apply(t.Context(), c, bumpTriggers(ns, "other", "")); err != nil {
		t.Fatal(err)
	}
	if all := recorder.drain(); all != "" {
		t.Errorf("got warnings\n%s\nwant none for the default ServiceAccount", all)
	}
}

// warningRecorder records the warnings of the API server. It is safe for concurrent use.
type warningRecorder struct {
	mu       sync.Mutex
	warnings []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warningRecorder) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warnings = append(w.warnings, text)
}

// drain returns the recorded warnings, one per line, and clears them.
func (w *warningRecorder) drain() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.warnings, "\n")
	w.warnings = nil
	return all
}

// validatingWebhookUnavailable tests the failure policies. With Ignore, the API server allows
// all objects, and the controller reports their errors. With Fail, it denies changes of the
// specs of TriggerServices and of actions and worker templates; metadata can be changed, and
// objects can be deleted.
func validatingWebhookUnavailable(t *testing.T, i *installation) {
	const unavailable = "https://127.0.0.1:1"
	ns := i.Namespace(t)
	c := webhookConfiguration(t, "unavailable", unavailable, ns)
	if err := i.admin.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	i.apply(t, invalidTriggers(ns))
	ts := i.waitForService(t, ns, "invalid", hasCondition(v1alpha1.ConditionValidated, metav1.ConditionFalse, v1alpha1.ReasonInvalidTriggers))
	message := meta.FindStatusCondition(ts.Status.Conditions, v1alpha1.ConditionValidated).Message
	for _, want := range invalidTriggerErrors() {
		if !strings.Contains(message, want) {
			t.Errorf("got message\n%s\nwant %q", message, want)
		}
	}

	for n := range c.Webhooks {
		fail := admissionregistrationv1.Fail
		c.Webhooks[n].FailurePolicy = &fail
	}
	if err := i.admin.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "denial by the failure policy", func(ctx context.Context) error {
		if err := i.admin.Create(ctx, i.definition(ns, "mine", corev1alpha1.TriggerAction, "parameter: {}"), client.DryRunAll); err == nil {
			return errors.New("got no error, want a denial")
		}
		return nil
	})
	if err := cluster.Apply(t.Context(), i.admin, bumpTriggers(ns, "main", "")); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		t.Errorf("got error %v, want one of a failed webhook call", err)
	}
	patch := `{"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/a"]}}`
	if err := i.admin.Patch(t.Context(), ts, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Errorf("set a label and a finalizer: %v", err)
	}
	if err := i.admin.Delete(t.Context(), ts); err != nil {
		t.Errorf("delete the TriggerService: %v", err)
	}
	if err := i.admin.Patch(t.Context(), ts, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))); err != nil {
		t.Errorf("remove the finalizer: %v", err)
	}
	if err := i.admin.Create(t.Context(), i.definition(ns, "other", "other-type", "{")); err != nil {
		t.Errorf("create a Definition of another type: %v", err)
	}
}
