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

package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// env is an API server with a namespace for the test that contains the Application
// `shop`: a Deployment with a Pod, a Service of another component, and a Secret.
type env struct {
	*cluster.Cluster
	admin     client.Client
	namespace string
}

func newEnv(t *testing.T) env {
	t.Helper()
	c := cluster.Start(t, cluster.WithKubeVelaCRDs())
	e := env{Cluster: c, namespace: c.Namespace(t)}
	e.admin = connect(t, c.Config)
	e.create(t, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}`)
	app := e.create(t, `{apiVersion: core.oam.dev/v1beta1, kind: Application, metadata: {name: shop}, spec: {components: []}}`)
	const pods = `{metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nothing}]}}`
	deployment := e.create(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, labels: {app.oam.dev/component: web}}, spec: {selector: {matchLabels: {app: web}}, template: `+pods+`}}`)
	set := e.create(t, `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-1, labels: {app: web}}, spec: {selector: {matchLabels: {app: web}}, template: `+pods+`}}`, deployment)
	e.create(t, `{apiVersion: v1, kind: Pod, metadata: {name: web-1-a, labels: {app: web}}, spec: {containers: [{name: c, image: nothing}]}}`, set)
	e.create(t, `{apiVersion: v1, kind: Pod, metadata: {name: other, labels: {app: web}}, spec: {containers: [{name: c, image: nothing}]}}`, app)
	e.create(t, `{apiVersion: v1, kind: Service, metadata: {name: db, labels: {app.oam.dev/component: db}}, spec: {ports: [{port: 3306}]}}`)
	e.create(t, `{apiVersion: v1, kind: Secret, metadata: {name: hidden}}`)
	e.create(t, `{apiVersion: v1, kind: Event, metadata: {name: e}, reason: BackOff, involvedObject: {apiVersion: v1, kind: Pod, name: web-1-a, namespace: `+e.namespace+`}}`)
	e.create(t, `{apiVersion: v1, kind: Event, metadata: {name: f}, reason: Other, involvedObject: {apiVersion: v1, kind: Pod, name: other, namespace: `+e.namespace+`}}`)
	e.createTracker(t, app)
	return e
}

func connect(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (e env) create(t *testing.T, text string, owners ...*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	o.SetNamespace(e.namespace)
	var references []any
	for _, owner := range owners {
		references = append(references, map[string]any{
			"apiVersion": owner.GetAPIVersion(), "kind": owner.GetKind(), "name": owner.GetName(), "uid": string(owner.GetUID()),
		})
	}
	if references != nil {
		if err := unstructured.SetNestedSlice(o.Object, references, "metadata", "ownerReferences"); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.admin.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return o
}

// createTracker records the resources of the Application as KubeVela does: compressed in
// a ResourceTracker, and in the status.
func (e env) createTracker(t *testing.T, app *unstructured.Unstructured) {
	t.Helper()
	var resources, applied []any
	for _, r := range []map[string]any{
		{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "component": "web", "creator": "workflow", "skipGC": true, "fieldOfLater": []any{"versions"}, "raw": map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": "web", "annotations": map[string]any{"app.oam.dev/deployVersion": "seven"}},
			"spec":     map[string]any{"replicas": int64(1<<53 + 1)},
		}},
		{"apiVersion": "v1", "kind": "Service", "name": "db", "component": "db"},
		{"apiVersion": "v1", "kind": "Secret", "name": "hidden", "component": "db"},
	} {
		r["namespace"] = e.namespace
		resources = append(resources, r)
		applied = append(applied, map[string]any{"apiVersion": r["apiVersion"], "kind": r["kind"], "name": r["name"], "namespace": e.namespace})
	}
	text, err := json.Marshal(resources)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	tracker := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "core.oam.dev/v1beta1", "kind": "ResourceTracker",
		"metadata": map[string]any{"name": e.namespace, "labels": map[string]any{
			"app.oam.dev/name": "shop", "app.oam.dev/namespace": e.namespace, "app.oam.dev/uid": string(app.GetUID()), "app.oam.dev/appRevision": "shop-v1",
		}},
	}}
	compressed, err := json.Marshal(map[string]any{
		"type": "versioned", "applicationGeneration": app.GetGeneration(),
		"compression": map[string]any{"type": "zstd", "data": writer.EncodeAll(text, nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(compressed, &spec); err != nil {
		t.Fatal(err)
	}
	tracker.Object["spec"] = spec
	if err := e.admin.Create(t.Context(), tracker); err != nil {
		t.Fatal(err)
	}
	app.Object["status"] = map[string]any{"appliedResources": applied}
	if err := e.admin.Status().Update(t.Context(), app); err != nil {
		t.Fatal(err)
	}
}

// evaluate returns the status of a view.
func (e env) evaluate(t *testing.T, c client.Client, template string) (any, error) {
	t.Helper()
	return e.evaluateWith(t, provider.Options{Client: c}, template)
}

func (e env) evaluateWith(t *testing.T, o provider.Options, template string) (any, error) {
	t.Helper()
	v, diags := view.New(query.Query{Template: `import "vela/ql"` + "\n" + strings.ReplaceAll(template, "NS", e.namespace)},
		view.Options{Client: o.Client, Executor: provider.New(o)})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return v.Evaluate(context.WithoutCancel(t.Context()))
}

const statusFields = `
	Pods:      [for p in pods%[1]s.list {"\(p.workload.kind) \(p.workload.name): \(p.object.metadata.name)"}]
	Services:  [for p in services%[1]s.list {p.object.metadata.name}]
	Endpoints: [for e in endpoints%[1]s.list {"\(e.endpoint.appProtocol) \(e.endpoint.host):\(e.endpoint.port)"}]
	Applied:   [for a in applied%[1]s.list {a.kind}]
	Events:    [for e in events%[1]s.list {e.reason}]
`

// TestDo_Shapes calls functions in the shape of views and with $params.
func TestDo_Shapes(t *testing.T) {
	e := newEnv(t)
	want := map[string]any{
		"Pods": []any{"ReplicaSet web-1: web-1-a"}, "Services": []any{"db"}, "Endpoints": []any{"mysql db." + e.namespace + ":3306"},
		"Applied": []any{"Deployment", "Service", "Secret"}, "Events": []any{"BackOff"},
	}
	for name, template := range map[string]string{
		"views": `
			let App = {name: "shop", namespace: "NS"}
			pods:      ql.#CollectPods & {app: App}
			services:  ql.#CollectServices & {app: App}
			endpoints: ql.#CollectServiceEndpoints & {app: App}
			applied:   ql.#ListAppliedResources & {app: App}
			events:    ql.#SearchEvents & {value: {kind: "Pod", metadata: {name: "web-1-a", namespace: "NS"}}, cluster: "local"}
			status: {` + fmt.Sprintf(statusFields, "") + `}`,
		"params": `
			let App = {name: "shop", namespace: "NS"}
			pods:      ql.#CollectPods & {$params: app: App}
			services:  ql.#CollectServices & {$params: app: App}
			endpoints: ql.#CollectServiceEndpoints & {$params: app: App}
			applied:   ql.#ListAppliedResources & {$params: app: App}
			events:    ql.#SearchEvents & {$params: value: {kind: "Pod", metadata: {name: "web-1-a", namespace: "NS"}}}
			status: {` + fmt.Sprintf(statusFields, ".$returns") + `}`,
	} {
		got, err := e.evaluate(t, e.admin, template)
		if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
			t.Error(name, diff, err)
		}
	}
}

// TestDo_RecordedObject returns an object as the ResourceTracker records it: the Deployment in the
// cluster has neither of the fields, and floating-point numbers would round the integer.
func TestDo_RecordedObject(t *testing.T) {
	e := newEnv(t)
	got, err := e.evaluate(t, e.admin, `
		objects: ql.#ListResourcesInApp & {app: {name: "shop", namespace: "NS", filter: components: ["web"]}}
		applied: ql.#ListAppliedResources & {app: {name: "shop", namespace: "NS", filter: components: ["web"]}}
		status: {
			Replicas: [for o in objects.list {"\(o.object.spec.replicas)"}]
			Versions: [for a in applied.list {a.deployVersion}]
		}`)
	want := map[string]any{"Replicas": []any{"9007199254740993"}, "Versions": []any{"seven"}}
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestDo_Permissions reads only kinds that lead to the requested ones, and the status
// if ResourceTrackers may not be listed.
func TestDo_Permissions(t *testing.T) {
	e := newEnv(t)
	reader := connect(t, e.ServiceAccount(t, e.namespace, "reader", rbacv1.PolicyRule{
		APIGroups: []string{"", "apps", "core.oam.dev"}, Resources: []string{"applications", "deployments", "replicasets", "pods"}, Verbs: []string{"get", "list"},
	}))
	got, err := e.evaluate(t, reader, `
		pods:    ql.#CollectPods & {app: {name: "shop", namespace: "NS"}}
		applied: ql.#ListAppliedResources & {app: {name: "shop", namespace: "NS"}}
		status: {
			Pods:    [for p in pods.list {"\(p.component) \(p.object.metadata.name)"}]
			Applied: [for a in applied.list {"\(a.component) \(a.kind)"}]
		}`)
	want := map[string]any{"Pods": []any{"web web-1-a"}, "Applied": []any{"web Deployment", " Service", " Secret"}}
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, call := range []string{
		`ql.#GetApplicationTree & {app: {name: "shop", namespace: "NS"}}`,
		`ql.#ListAppliedResources & {app: {name: "shop", namespace: "NS", filter: components: ["db"]}}`,
	} {
		if _, err := e.evaluate(t, reader, "call: "+call+"\nstatus: call.list"); !apierrors.IsForbidden(err) {
			t.Errorf("%s: got %v, want a forbidden error", call, err)
		}
	}
}

// TestDo_ResourceTree returns nodes with health and children, without ages.
func TestDo_ResourceTree(t *testing.T) {
	e := newEnv(t)
	got, err := e.evaluate(t, e.admin, `
		tree: ql.#GetApplicationTree & {app: {name: "shop", namespace: "NS", filter: components: ["web"]}}
		status: [for r in tree.list for s in r.resourceTree.leafNodes for p in s.leafNodes {
			"\(r.revision) \(r.latest) \(r.resourceTree.kind) \(s.kind) \(s.healthStatus.statusCode) \(p.name) \(p.healthStatus.statusCode) \(p.additionalInfo.Status) \(p.additionalInfo.Ready) \(len(p.additionalInfo))"
		}]`)
	want := []any{"shop-v1 true Deployment ReplicaSet Progressing web-1-a Progressing Pending 0/1 3"}
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestDo_JoinedClusters reads resources of joined clusters with Querier.Clusters.
func TestDo_JoinedClusters(t *testing.T) {
	e := newEnv(t)
	app := e.create(t, `{apiVersion: core.oam.dev/v1beta1, kind: Application, metadata: {name: far}, spec: {components: []}}`)
	app.Object["status"] = map[string]any{"appliedResources": []any{
		map[string]any{"apiVersion": "v1", "kind": "Service", "name": "db", "namespace": e.namespace, "cluster": "berlin"},
	}}
	if err := e.admin.Status().Update(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	hub := connect(t, e.ServiceAccount(t, e.namespace, "reader", rbacv1.PolicyRule{
		APIGroups: []string{"core.oam.dev"}, Resources: []string{"applications"}, Verbs: []string{"get"},
	}))
	const template = `
		result:  ql.#CollectServiceEndpoints & {app: {name: "far", namespace: "NS"}}
		tree:    ql.#GetApplicationTree & {app: {name: "far", namespace: "NS"}}
		status: {
			endpoints: [for r in result.list {"\(r.cluster) \(r.endpoint.host)"}]
			nodes:     [for r in tree.list {r.resourceTree.cluster}]
		}`
	got, err := e.evaluateWith(t, provider.Options{Client: hub, Clusters: func(_ context.Context, name string) (client.Client, error) {
		if name != "berlin" {
			return nil, fmt.Errorf("no cluster %q", name)
		}
		return e.admin, nil
	}}, template)
	want := map[string]any{"endpoints": []any{"berlin db." + e.namespace}, "nodes": []any{"berlin"}}
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := e.evaluateWith(t, provider.Options{Client: hub}, template); err == nil || !strings.Contains(err.Error(), `is in cluster "berlin"`) {
		t.Errorf("got %v", err)
	}
}

// gatewayCRD is a CRD of the Gateway API without validation.
const gatewayCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[1]ss.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: unapproved, for tests}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: %[2]s, plural: %[1]ss, singular: %[1]s, listKind: %[2]sList}
  versions:
    - {name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

// TestDo_HTTPRoute returns the endpoints of an HTTPRoute at the listener of its Gateway.
func TestDo_HTTPRoute(t *testing.T) {
	e := newEnv(t)
	var files []string
	for kind, plural := range map[string]string{"HTTPRoute": "httproute", "Gateway": "gateway"} {
		file := filepath.Join(t.TempDir(), plural+".yaml")
		text := strings.ReplaceAll(fmt.Sprintf(gatewayCRD, plural, kind), "unapproved, for tests", `"unapproved, for tests"`)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	e.Install(t, files...)
	e.admin = connect(t, e.Config)
	e.create(t, `{apiVersion: gateway.networking.k8s.io/v1beta1, kind: Gateway, metadata: {name: g, annotations: {ports-mapping: "8000:80,8443:443"}},
		spec: {listeners: [{name: plain, protocol: HTTP, port: 8000}, {name: safe, protocol: HTTPS, port: 8443}]}}`)
	e.create(t, `{apiVersion: gateway.networking.k8s.io/v1beta1, kind: HTTPRoute, metadata: {name: r}, spec: {
		parentRefs: [{kind: Gateway, name: g, sectionName: safe}], hostnames: [example.com],
		rules: [{matches: [{path: {type: PathPrefix, value: /a}}, {path: {type: PathPrefix, value: /a}}, {path: {type: Exact, value: /b}}]}]}}`)
	app := e.create(t, `{apiVersion: core.oam.dev/v1beta1, kind: Application, metadata: {name: routed}, spec: {components: []}}`)
	app.Object["status"] = map[string]any{"appliedResources": []any{
		map[string]any{"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "HTTPRoute", "name": "r", "namespace": e.namespace},
	}}
	if err := e.admin.Status().Update(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	reader := connect(t, e.ServiceAccount(t, e.namespace, "reader", rbacv1.PolicyRule{
		APIGroups: []string{"core.oam.dev", "gateway.networking.k8s.io"}, Resources: []string{"applications", "httproutes", "gateways"}, Verbs: []string{"get"},
	}))
	got, err := e.evaluate(t, reader, `
		endpoints: ql.#CollectServiceEndpoints & {app: {name: "routed", namespace: "NS"}}
		status: [for r in endpoints.list {"\(r.endpoint.appProtocol)://\(r.endpoint.host):\(r.endpoint.port)\([if r.endpoint.path != _|_ {r.endpoint.path}, ""][0])"}]`)
	want := []any{"https://example.com:443/a", "https://example.com:443"}
	if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
