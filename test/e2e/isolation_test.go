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
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// forbiddenActions returns templates that use rights the worker does not have. $A is its
// namespace, $B another one. They write what they read to the ConfigMap "out".
func forbiddenActions(a, b string) map[string]string {
	const out = `
out: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "out", namespace: "$A"}}
	patch: {type: "merge", data: data: stolen: json.Marshal(got)}
}}
`
	all := map[string]string{
		"get":         `read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$B"}}}` + "\ngot: read.$returns" + out,
		"get-own":     `read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$A"}}}` + "\ngot: read.$returns" + out,
		"read":        `read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$B"}}}` + "\ngot: read.$returns.value" + out,
		"list":        `read: kube.#List & {$params: {resource: {apiVersion: "v1", kind: "ConfigMap"}, filter: namespace: "$B"}}` + "\ngot: read.$returns.items" + out,
		"list-all":    `read: kube.#List & {$params: {resource: {apiVersion: "v1", kind: "Secret"}, filter: {}}}` + "\ngot: read.$returns.items" + out,
		"patch":       `do: kube.#Patch & {$params: {resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "victim", namespace: "$B"}}, patch: {type: "merge", data: data: key: "evil"}}}`,
		"apply":       `do: kube.#Apply & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "victim", namespace: "$B"}, data: key: "evil"}}`,
		"apply-value": `do: kube.#Apply & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "victim", namespace: "$B"}, data: key: "evil"}}`,
		"delete":      `do: kube.#Delete & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "victim", namespace: "$B"}}}`,
		"escalate": `do: kube.#Apply & {$params: resource: {apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: {name: "evil", namespace: "$A"}
	roleRef: {apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "admin"}, subjects: [{kind: "ServiceAccount", name: "kube-trigger", namespace: "$A"}]}}`,
		"redefine":   `do: kube.#Patch & {$params: {resource: {apiVersion: "core.oam.dev/v1alpha1", kind: "Definition", metadata: {name: "kube-trigger-main", namespace: "$A"}}, patch: {type: "merge", data: spec: templates: x: "y"}}}`,
		"rewrite":    `do: kube.#Patch & {$params: {resource: {apiVersion: "standard.oam.dev/v1alpha1", kind: "TriggerService", metadata: {name: "main", namespace: "$A"}}, patch: {type: "merge", data: spec: suspend: true}}}`,
		"image":      `do: kube.#Patch & {$params: {resource: {apiVersion: "apps/v1", kind: "Deployment", metadata: {name: "kube-trigger-main", namespace: "$A"}}, patch: {type: "merge", data: spec: replicas: 0}}}`,
		"op-read":    `read: op.#Read & {value: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$B"}}}` + "\ngot: read.value" + out,
		"op-apply":   `do: op.#Apply & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "victim", namespace: "$B"}, data: key: "evil"}}`,
		"op-delete":  `do: op.#Delete & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "victim", namespace: "$B"}}}`,
		"config":     `read: config.#ReadConfig & {$params: {name: "s", namespace: "$B"}}` + "\ngot: read.$returns" + out,
		"config-new": `do: config.#CreateConfig & {$params: {name: "evil", namespace: "$B", config: x: "y"}}`,
	}
	for name, text := range all {
		imports := ""
		for _, p := range []string{"vela/kube", "vela/op", "vela/config", "encoding/json"} {
			if strings.Contains(text, p[strings.LastIndex(p, "/")+1:]+".") {
				imports += fmt.Sprintf("import %q\n", p)
			}
		}
		all[name] = imports + strings.NewReplacer("$A", a, "$B", b).Replace(text)
	}
	return all
}

// isolation tests that a TriggerService can neither read nor change objects that its
// account has no rights to, whatever its actions and annotations are.
func isolation(t *testing.T, i *installation) {
	a, b := i.Namespace(t), i.Namespace(t)
	i.edit(t, b, "victim", "untouched")
	i.edit(t, a, "out", "")
	i.edit(t, a, "in", "0")
	i.account(t, b, "own", "[]")
	for _, ns := range []string{a, b} {
		i.apply(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {namespace: %s, name: s, labels: {config.oam.dev/type: x}}\nstringData: {key: canary-of-s}", ns))
	}
	before := i.resourceVersions(t, b)
	var triggers strings.Builder
	actions := forbiddenActions(a, b)
	for name, template := range actions {
		i.apply(t, strings.Replace(stampDefinition(a, template), "trigger-action-stamp", "trigger-action-"+name, 1))
		fmt.Fprintf(&triggers, `    - name: %[1]s
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[2]s, events: [update], fieldSelector: metadata.name=in}}
      action: {type: %[1]s}
      retry: {limit: 0}
`, name, a)
	}
	fmt.Fprintf(&triggers, `    - name: watch
      source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %s}}
      action: {type: bump-application-revision}
`, b)
	service := strings.Replace(bump(a, "main", triggers.String()), "name: main}", `name: main, annotations: {
  app.oam.dev/username: admin, app.oam.dev/group: "system:masters", app.oam.dev/service-account-name: kube-trigger-controller}}`, 1)
	i.apply(t, service)
	i.until(t, a, "main", func(ts *v1alpha1.TriggerService) error {
		if want := fmt.Sprintf("%d/%d", len(actions)+1, len(actions)+2); ts.Status.ReadyTriggers != want {
			return fmt.Errorf("%s triggers are ready, want %s: %+v", ts.Status.ReadyTriggers, want, ts.Status)
		}
		return nil
	})
	i.edit(t, a, "in", "1")
	ts := i.until(t, a, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.DeadLetters != int64(len(actions)) {
			return fmt.Errorf("status %+v", ts.Status)
		}
		return nil
	})
	for _, s := range ts.Status.Triggers {
		if _, ok := actions[s.Name]; ok && !strings.Contains(s.LastError, "forbidden") {
			t.Errorf("%s failed with %q, want forbidden", s.Name, s.LastError)
		}
		if s.Name == "watch" && (s.State != v1alpha1.TriggerWaiting || s.Reason != v1alpha1.TriggerReasonForbidden) {
			t.Errorf("watch of another namespace: got %+v, want forbidden", s)
		}
	}
	out := &corev1.ConfigMap{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: a, Name: "out"}, out); err != nil {
		t.Fatal(err)
	}
	if got, ok := out.Data["stolen"]; ok {
		t.Errorf("read a forbidden object: %s", got)
	}
	if after := i.resourceVersions(t, b); !equality.Semantic.DeepEqual(before, after) {
		t.Errorf("the other namespace changed from %v to %v", before, after)
	}
	if text := i.node.Outputs(a); strings.Contains(text, "canary-of-s") {
		t.Errorf("the Secret is in the log")
	}
}

// resourceVersions returns the resourceVersions of the objects in a namespace.
func (i *installation) resourceVersions(t *testing.T, namespace string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, kind := range []string{"v1/ConfigMap", "v1/Secret", "v1/ServiceAccount", "rbac.authorization.k8s.io/v1/RoleBinding", "apps/v1/Deployment"} {
		slash := strings.LastIndex(kind, "/")
		list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: kind[:slash], Kind: kind[slash+1:] + "List"}}
		if err := i.admin.List(t.Context(), list, inNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			versions[kind+"/"+o.Name] = o.ResourceVersion
		}
	}
	return versions
}

// foreignServiceAccount tests that the ServiceAccount of another namespace cannot be used.
func foreignServiceAccount(t *testing.T, i *installation) {
	a, b := i.Namespace(t), i.Namespace(t)
	i.account(t, b, "strong", "[{apiGroups: [''], resources: [secrets], verbs: [get]}]")
	err := cluster.Apply(t.Context(), i.admin, bump(a, "main", "  serviceAccountName: "+b+"/strong"))
	if err == nil || !strings.Contains(err.Error(), "spec.serviceAccountName") {
		t.Errorf("ServiceAccount of another namespace: got %v, want an error", err)
	}
	i.apply(t, bump(a, "main", "  serviceAccountName: strong"))
	i.until(t, a, "main", condition(v1alpha1.ConditionWorkerAvailable, metav1.ConditionFalse, v1alpha1.ReasonDeploymentFailed))
	i.expectGone(t, a, &corev1.PodList{})
}

// nameConflict tests that objects of other owners are not changed.
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
	i.apply(t, bump(ns, "main", ""))
	i.until(t, ns, "main", condition(v1alpha1.ConditionWorkerAvailable, metav1.ConditionFalse, v1alpha1.ReasonNameConflict))
	all := i.resourceVersions(t, ns)
	for _, name := range []string{"apps/v1/Deployment/kube-trigger-main", "v1/ServiceAccount/kube-trigger"} {
		if all[name] == "" {
			t.Errorf("%s was deleted", name)
		}
	}
	if all["rbac.authorization.k8s.io/v1/RoleBinding/kube-trigger"] != "" {
		t.Error("a ServiceAccount of another owner was bound to the role")
	}
	i.delete(t, fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: %s, name: kube-trigger-main}", ns))
	i.delete(t, fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: %s, name: kube-trigger}", ns))
	cluster.Eventually(t, "update of the TriggerService", func(ctx context.Context) error {
		return cluster.Apply(ctx, i.admin, bump(ns, "main", "  suspend: true"))
	})
	i.until(t, ns, "main", condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended))
}
