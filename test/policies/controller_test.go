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

package policies

import (
	"context"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// controller tests what the account of the controller may write if it is cluster-admin.
func (e env) controller(t *testing.T) {
	const labels = "labels: {app.kubernetes.io/managed-by: kube-trigger-controller}"
	const (
		deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: NS, name: kube-trigger-main, LABELS}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {serviceAccountName: kube-trigger-worker, containers: [{name: main, image: example.com/main}]}`
		service = `
apiVersion: v1
kind: Service
metadata: {namespace: NS, name: kube-trigger-main, LABELS}
spec: {ports: [{port: 80}]}`
		definition = `
apiVersion: core.oam.dev/v1alpha1
kind: Definition
metadata: {namespace: NS, name: kube-trigger-main, LABELS}
spec: {type: trigger-accepted, templates: {main.cue: ""}}`
		serviceAccount = `
apiVersion: v1
kind: ServiceAccount
metadata: {namespace: NS, name: kube-trigger, LABELS}`
		role = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: NS, name: kube-trigger-impersonate, LABELS}
rules: [{apiGroups: [""], resources: [serviceaccounts], verbs: [impersonate], resourceNames: [a, b]}]`
		bumpRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: NS, name: kube-trigger-bump-prod-web, LABELS}
rules: [{apiGroups: [core.oam.dev], resources: [applications], verbs: [get, list, watch, patch], resourceNames: [shop]}]`
		bumpBinding = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: NS, name: kube-trigger-bump-prod-web, LABELS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: kube-trigger-bump-prod-web}
subjects: [{kind: ServiceAccount, namespace: prod, name: web}]`
		configRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: NS, name: kube-trigger-config-web, LABELS}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, watch], resourceNames: [a, b]}
- {apiGroups: [""], resources: [secrets], verbs: [get, list, watch], resourceNames: [c]}`
		configBinding = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: NS, name: kube-trigger-config-web, LABELS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: kube-trigger-config-web}
subjects: [{kind: ServiceAccount, namespace: NS, name: web}]`
		roleBinding = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: NS, name: kube-trigger-default, LABELS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kube-trigger-default}
subjects: [{kind: ServiceAccount, namespace: NS, name: kube-trigger}]`

		clusterBumps = `
apiVersion: standard.oam.dev/v1alpha1
kind: TriggerService
metadata: {namespace: vela-kube-trigger, name: kube-trigger-NS, LABELS}
spec:
  worker: {template: namespace}
  triggers:
    - source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, clusters: [edge]}}
      action: {type: bump-application-revision, properties: {ownApplication: true}}`

		bumpsOnly  = "only TriggerServices of the namespace vela-kube-trigger that watch objects and bump Applications"
		namespaces = "writes nothing in namespaces named kube-*"
		names      = "only objects named kube-trigger or kube-trigger-*"
		label      = "only objects with the label app.kubernetes.io/managed-by: kube-trigger-controller"
		oneRule    = "only the Role kube-trigger-impersonate, with one rule"
		binding    = "ClusterRole kube-trigger-default to the ServiceAccount kube-trigger of the namespace"
	)
	e.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: vela-kube-trigger}")
	user := account("vela-system", "kube-trigger-controller")
	e.bind(t, "", user, "cluster-admin")
	controller := e.client(t, user)

	const pod = "    spec: {"
	for _, tt := range []struct{ name, object, old, new, want string }{
		{"namespace", deployment, "NS", "kube-system", namespaces},
		{"name", deployment, "kube-trigger-main", "web", names},
		{"unlabeled", deployment, ", LABELS", "", label},
		{"account", deployment, "kube-trigger-worker", "kube-trigger", "must run as the ServiceAccount kube-trigger-worker"},
		{"hostNetwork", deployment, pod, pod + "hostNetwork: true, ", "must not set hostNetwork"},
		{"hostPID", deployment, pod, pod + "hostPID: true, ", "must not set hostPID"},
		{"hostIPC", deployment, pod, pod + "hostIPC: true, ", "must not set hostIPC"},
		{"hostPath", deployment, pod, pod + "volumes: [{name: a, hostPath: {path: /}}], ", "must not have hostPath"},
		{"privileged", deployment, "name: main, ", "name: main, securityContext: {privileged: true}, ", "must not have privileged"},
		{"privileged init", deployment, pod, pod + "initContainers: [{name: a, image: a, securityContext: {privileged: true}}], ", "must not have privileged"},
		{"allowed", deployment, "name: main, ", "name: main, securityContext: {privileged: false}, ", ""},

		{"namespace", service, "NS", "kube-system", namespaces},
		{"name", service, "kube-trigger-main", "web", names},
		{"unlabeled", service, ", LABELS", "", label},
		{"NodePort", service, "spec: {", "spec: {type: NodePort, ", "must have the type ClusterIP"},
		{"externalIPs", service, "spec: {", "spec: {externalIPs: [192.0.2.1], ", "no externalIPs"},
		{"allowed", service, "", "", ""},

		{"name", definition, "kube-trigger-main", "trigger-worker-default", names},
		{"unlabeled", definition, ", LABELS", "", label},
		{"type", definition, "trigger-accepted", "trigger-worker", "of the type trigger-accepted"},
		{"allowed", definition, "", "", ""},

		{"namespace", serviceAccount, "NS", "kube-system", namespaces},
		{"name", serviceAccount, "kube-trigger,", "kube-trigger-other,", "only ServiceAccounts named kube-trigger"},
		{"unlabeled", serviceAccount, ", LABELS", "", label},
		{"allowed", serviceAccount, "", "", ""},
		{"allowed worker", serviceAccount, "kube-trigger,", "kube-trigger-worker,", ""},

		{"name", role, "kube-trigger-impersonate", "kube-trigger-other", oneRule},
		{"two rules", role, "a, b]}", "a]}, {apiGroups: [\"\"], resources: [secrets], verbs: [get]}", oneRule},
		{"resource", role, "serviceaccounts", "users", oneRule},
		{"verb", role, "impersonate]", "impersonate, get]", oneRule},
		{"all names", role, ", resourceNames: [a, b]", "", oneRule},
		{"allowed", role, "", "", ""},

		{"name", bumpRole, "kube-trigger-bump-prod-web", "kube-trigger-other", oneRule},
		{"group", bumpRole, "core.oam.dev", "apps", oneRule},
		{"resource", bumpRole, "[applications]", "[applications, workflowruns]", oneRule},
		{"verb", bumpRole, "patch]", "patch, update]", oneRule},
		{"all Applications", bumpRole, ", resourceNames: [shop]", "", oneRule},
		{"two Applications", bumpRole, "[shop]", "[shop, api]", oneRule},
		{"two rules", bumpRole, "[shop]}", "[shop]}, {apiGroups: [\"\"], resources: [secrets], verbs: [get]}", oneRule},
		{"allowed to bump", bumpRole, "", "", ""},

		{"another role's name", bumpBinding, "kind: Role, name: kube-trigger-bump-prod-web", "kind: Role, name: kube-trigger-bump-prod-api", binding},
		{"ClusterRole", bumpBinding, "kind: Role, name", "kind: ClusterRole, name", binding},
		{"group", bumpBinding, "kind: ServiceAccount, namespace: prod, ", "apiGroup: rbac.authorization.k8s.io, kind: Group, ", binding},
		{"allowed to bump", bumpBinding, "", "", ""},

		{"name", configRole, "kube-trigger-config-web", "kube-trigger-other", oneRule},
		{"namespace", configRole, "NS", "kube-system", namespaces},
		{"group", configRole, "{apiGroups: [\"\"], resources: [secrets]", "{apiGroups: [apps], resources: [secrets]", oneRule},
		{"resource", configRole, "[secrets]", "[serviceaccounts]", oneRule},
		{"two resources", configRole, "[configmaps]", "[configmaps, pods]", oneRule},
		{"verb", configRole, "watch], resourceNames: [c]", "watch, patch], resourceNames: [c]", oneRule},
		{"all Secrets", configRole, ", resourceNames: [c]", "", oneRule},
		{"allowed to watch", configRole, "", "", ""},

		{"another role's name", configBinding, "kind: Role, name: kube-trigger-config-web", "kind: Role, name: kube-trigger-config-api", binding},
		{"ClusterRole", configBinding, "kind: Role, name", "kind: ClusterRole, name", binding},
		{"another namespace", configBinding, "namespace: NS, name: web}", "namespace: prod, name: web}", binding},
		{"group", configBinding, "kind: ServiceAccount, namespace: NS, ", "apiGroup: rbac.authorization.k8s.io, kind: Group, ", binding},
		{"allowed to watch", configBinding, "", "", ""},

		{"namespace", clusterBumps, "namespace: vela-kube-trigger", "namespace: NS", bumpsOnly},
		{"name", clusterBumps, "kube-trigger-NS", "web-NS", names},
		{"unlabeled", clusterBumps, ", LABELS", "", label},
		{"source", clusterBumps, "resource-watcher", "cron", bumpsOnly},
		{"action", clusterBumps, "bump-application-revision", "patch-resource", bumpsOnly},
		{"actions", clusterBumps, "action: {type: bump-application-revision, properties: {ownApplication: true}}", "actions: [{name: a, type: bump-application-revision}]", bumpsOnly},
		{"account", clusterBumps, "spec:", "spec:\n  serviceAccountName: kube-trigger", bumpsOnly},
		{"no worker", clusterBumps, "  worker: {template: namespace}\n", "", bumpsOnly},
		{"worker", clusterBumps, "template: namespace", "template: dedicated", bumpsOnly},
		{"properties of the worker", clusterBumps, "template: namespace", "template: namespace, properties: {a: b}", bumpsOnly},
		{"allowed", clusterBumps, "", "", ""},

		{"role", roleBinding, "ClusterRole, name: kube-trigger-default", "ClusterRole, name: cluster-admin", binding},
		{"role of workers", roleBinding, "ClusterRole, name: kube-trigger-default", "ClusterRole, name: kube-trigger-worker", binding},
		{"kind of role", roleBinding, "kind: ClusterRole", "kind: Role", binding},
		{"account", roleBinding, "name: kube-trigger}", "name: other}", binding},
		{"other namespace", roleBinding, "namespace: NS, name: kube-trigger}", "namespace: default, name: kube-trigger}", binding},
		{"user", roleBinding, "kind: ServiceAccount, namespace: NS, ", "apiGroup: rbac.authorization.k8s.io, kind: User, ", binding},
		{"allowed", roleBinding, "", "", ""},
		{"allowed for workers", roleBinding, "name: kube-trigger-default}\nsubjects: [{kind: ServiceAccount, namespace: NS, name: kube-trigger}", "name: kube-trigger-worker}\nsubjects: [{kind: ServiceAccount, namespace: NS, name: kube-trigger-worker}", ""},
		{"allowed to impersonate", roleBinding, "kind: ClusterRole, name: kube-trigger-default}\nsubjects: [{kind: ServiceAccount, namespace: NS, name: kube-trigger}", "kind: Role, name: kube-trigger-impersonate}\nsubjects: [{kind: ServiceAccount, namespace: NS, name: kube-trigger-worker}", ""},
	} {
		kind := strings.Fields(tt.object)[3]
		t.Run(kind+"/"+tt.name, func(t *testing.T) {
			if !strings.Contains(tt.object, tt.old) {
				t.Fatalf("object has no %q", tt.old)
			}
			ns := e.Namespace(t)
			text := strings.NewReplacer("NS", ns, "LABELS", labels).Replace(strings.Replace(tt.object, tt.old, tt.new, 1))
			expect(t, tt.want, func(ctx context.Context) error { return cluster.Apply(ctx, controller, text) })
			e.apply(t, text) // others are not affected
		})
	}

	t.Run("existing object without the label", func(t *testing.T) {
		ns := e.Namespace(t)
		text := strings.NewReplacer("NS", ns, "LABELS", labels).Replace(deployment)
		e.apply(t, strings.Replace(text, labels, "labels: {}", 1))
		expect(t, label, func(ctx context.Context) error { return cluster.Apply(ctx, controller, text) })
		foreign := object("apps/v1", "Deployment", ns, "kube-trigger-main")
		expect(t, label, func(ctx context.Context) error { return controller.Delete(ctx, foreign) })
		e.apply(t, text)
		expect(t, "", func(ctx context.Context) error { return controller.Delete(ctx, foreign) })
	})

	t.Run("all objects", func(t *testing.T) {
		ns := e.Namespace(t)
		e.apply(t, strings.NewReplacer("NS", ns, "LABELS", labels).Replace(service))
		expect(t, names, func(ctx context.Context) error {
			return controller.DeleteAllOf(ctx, object("v1", "Service", "", ""), client.InNamespace(ns))
		})
	})
}
