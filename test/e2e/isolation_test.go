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
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// forbiddenActions returns templates of actions that require rights that the worker in
// namespace a does not have, in its namespace and in namespace b. Templates that read an
// object write it to the ConfigMap "out".
func forbiddenActions(a, b string) map[string]string {
	const out = `
out: kube.#Patch & {$params: {
	resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "out", namespace: "$A"}}
	patch: {type: "merge", data: data: leaked: json.Marshal(got)}
}}
`
	all := map[string]string{
		"get":         `read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$B"}}}` + "\ngot: read.$returns" + out,
		"get-own":     `read: kube.#Get & {$params: resource: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$A"}}}` + "\ngot: read.$returns" + out,
		"read":        `read: kube.#Read & {$params: value: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$B"}}}` + "\ngot: read.$returns.value" + out,
		"list":        `read: kube.#List & {$params: {resource: {apiVersion: "v1", kind: "ConfigMap"}, filter: namespace: "$B"}}` + "\ngot: read.$returns.items" + out,
		"list-all":    `read: kube.#List & {$params: {resource: {apiVersion: "v1", kind: "Secret"}, filter: {}}}` + "\ngot: read.$returns.items" + out,
		"patch":       `do: kube.#Patch & {$params: {resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "target", namespace: "$B"}}, patch: {type: "merge", data: data: key: "modified"}}}`,
		"apply":       `do: kube.#Apply & {$params: resource: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "target", namespace: "$B"}, data: key: "modified"}}`,
		"apply-value": `do: kube.#Apply & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "target", namespace: "$B"}, data: key: "modified"}}`,
		"delete":      `do: kube.#Delete & {$params: value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "target", namespace: "$B"}}}`,
		"escalate": `do: kube.#Apply & {$params: resource: {apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: {name: "created", namespace: "$A"}
	roleRef: {apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "admin"}, subjects: [{kind: "ServiceAccount", name: "kube-trigger", namespace: "$A"}]}}`,
		"redefine":   `do: kube.#Patch & {$params: {resource: {apiVersion: "core.oam.dev/v1alpha1", kind: "Definition", metadata: {name: "kube-trigger-main", namespace: "$A"}}, patch: {type: "merge", data: spec: templates: x: "y"}}}`,
		"rewrite":    `do: kube.#Patch & {$params: {resource: {apiVersion: "standard.oam.dev/v1alpha1", kind: "TriggerService", metadata: {name: "main", namespace: "$A"}}, patch: {type: "merge", data: spec: suspend: true}}}`,
		"image":      `do: kube.#Patch & {$params: {resource: {apiVersion: "apps/v1", kind: "Deployment", metadata: {name: "kube-trigger-main", namespace: "$A"}}, patch: {type: "merge", data: spec: replicas: 0}}}`,
		"op-read":    `read: op.#Read & {value: {apiVersion: "v1", kind: "Secret", metadata: {name: "s", namespace: "$B"}}}` + "\ngot: read.value" + out,
		"op-apply":   `do: op.#Apply & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "target", namespace: "$B"}, data: key: "modified"}}`,
		"op-delete":  `do: op.#Delete & {value: {apiVersion: "v1", kind: "ConfigMap", metadata: {name: "target", namespace: "$B"}}}`,
		"config":     `read: config.#ReadConfig & {$params: {name: "s", namespace: "$B"}}` + "\ngot: read.$returns" + out,
		"config-new": `do: config.#CreateConfig & {$params: {name: "created", namespace: "$B", config: x: "y"}}`,
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

// isolation tests that the actions of a TriggerService can neither read nor change objects
// without rights of its ServiceAccount. KubeVela's annotations for impersonation do not
// add rights.
func isolation(t *testing.T, i *installation) {
	a, b := i.Namespace(t), i.Namespace(t)
	i.allowConfigMaps(t, a)
	i.applyConfigMap(t, b, "target", "original")
	i.applyConfigMap(t, a, "out", "")
	i.applyConfigMap(t, a, "in", "0")
	i.createServiceAccount(t, b, "own", "[]")
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
	service := strings.Replace(bumpTriggers(a, "main", triggers.String()), "name: main}", `name: main, annotations: {
  app.oam.dev/username: admin, app.oam.dev/group: "system:masters", app.oam.dev/service-account-name: kube-trigger-controller}}`, 1)
	i.apply(t, service)
	i.waitForService(t, a, "main", func(ts *v1alpha1.TriggerService) error {
		if want := fmt.Sprintf("%d/%d", len(actions)+1, len(actions)+2); ts.Status.ReadyTriggers != want {
			return fmt.Errorf("got %s ready triggers, want %s: status %+v", ts.Status.ReadyTriggers, want, ts.Status)
		}
		return nil
	})
	i.applyConfigMap(t, a, "in", "1")
	ts := i.waitForService(t, a, "main", func(ts *v1alpha1.TriggerService) error {
		if ts.Status.DeadLetters != int64(len(actions)) {
			return fmt.Errorf("got status %+v, want %d dead letters", ts.Status, len(actions))
		}
		return nil
	})
	for _, s := range ts.Status.Triggers {
		if _, ok := actions[s.Name]; ok && !strings.Contains(s.LastError, "forbidden") {
			t.Errorf("trigger %s: got error %q, want forbidden", s.Name, s.LastError)
		}
		if s.Name == "watch" && (s.State != v1alpha1.TriggerWaiting || s.Reason != v1alpha1.TriggerReasonForbidden) {
			t.Errorf("watch of another namespace: got status %+v, want %s with reason %s", s, v1alpha1.TriggerWaiting, v1alpha1.TriggerReasonForbidden)
		}
	}
	out := &corev1.ConfigMap{}
	if err := i.admin.Get(t.Context(), types.NamespacedName{Namespace: a, Name: "out"}, out); err != nil {
		t.Fatal(err)
	}
	if got, ok := out.Data["leaked"]; ok {
		t.Errorf("got forbidden object %s, want none", got)
	}
	if after := i.resourceVersions(t, b); !equality.Semantic.DeepEqual(before, after) {
		t.Errorf("resourceVersions in the other namespace: got %v, want %v", after, before)
	}
	if text := i.node.Logs(a); strings.Contains(text, "canary-of-s") {
		t.Error("got the value of the Secret in the logs, want none")
	}
}

// resourceVersions returns the resourceVersions of the ConfigMaps, Secrets, ServiceAccounts,
// RoleBindings and Deployments of a namespace, by apiVersion/kind/name.
func (i *installation) resourceVersions(t *testing.T, namespace string) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, kind := range []string{"v1/ConfigMap", "v1/Secret", "v1/ServiceAccount", "rbac.authorization.k8s.io/v1/RoleBinding", "apps/v1/Deployment"} {
		slash := strings.LastIndex(kind, "/")
		list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: kind[:slash], Kind: kind[slash+1:] + "List"}}
		if err := i.admin.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			versions[kind+"/"+o.Name] = o.ResourceVersion
		}
	}
	return versions
}

// foreignServiceAccount tests that a TriggerService cannot use a ServiceAccount of another
// namespace.
func foreignServiceAccount(t *testing.T, i *installation) {
	a, b := i.Namespace(t), i.Namespace(t)
	i.createServiceAccount(t, b, "strong", "[{apiGroups: [''], resources: [secrets], verbs: [get]}]")
	err := cluster.Apply(t.Context(), i.admin, bumpTriggers(a, "main", "  serviceAccountName: "+b+"/strong"))
	if err == nil || !strings.Contains(err.Error(), "spec.serviceAccountName") {
		t.Errorf("ServiceAccount of another namespace: got error %v, want one of spec.serviceAccountName", err)
	}
	i.apply(t, bumpTriggers(a, "main", "  serviceAccountName: strong"))
	i.waitForService(t, a, "main", func(ts *v1alpha1.TriggerService) error {
		for _, s := range ts.Status.Triggers {
			if s.State == v1alpha1.TriggerWaiting && s.Reason == v1alpha1.TriggerReasonAccountNotFound && strings.Contains(s.Message, "ServiceAccount "+a+"/strong does not exist") {
				return nil
			}
		}
		return fmt.Errorf("got status %+v, want the missing ServiceAccount", ts.Status)
	})
}
