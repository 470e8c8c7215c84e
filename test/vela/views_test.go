//go:build kubevela

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

package vela_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/velaql/query"
	"github.com/kubevela/kube-trigger/pkg/velaql/view"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// components are the components of the Application that the views read.
const components = `
    - name: web
      type: webservice
      properties: {image: nothing, ports: [{port: 80, name: http, expose: true}, {port: 3306, name: db, expose: true}]}
      traits:
        - {type: scaler, properties: {replicas: 2}}
    - name: objects
      type: k8s-objects
      properties:
        objects:
          - apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: web, annotations: {ingress.controller/http-port: "8000"}}
            spec:
              tls: [{hosts: [safe.example.com]}]
              rules:
                - {host: example.com, http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}
                - {host: safe.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}
          - {apiVersion: v1, kind: Service, metadata: {name: balanced}, spec: {type: LoadBalancer, ports: [{port: 443}], selector: {app: none}}}
          - {apiVersion: v1, kind: Service, metadata: {name: node}, spec: {type: NodePort, ports: [{port: 8080, nodePort: 30123}], selector: {app: none}}}
          - {apiVersion: v1, kind: Secret, metadata: {name: hidden}, stringData: {password: hunter2}}
          - {apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
          - {apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: nothing}]}}}}
`

// views compares the results of VelaQL views in pkg/velaql and in `vela ql`.
func views(t *testing.T, k env) {
	ns := k.Namespace(t)
	k.Apply(t, "apiVersion: v1\nkind: Node\nmetadata: {name: "+ns+"}")
	k.Apply(t, application(ns, "shop", components))
	k.setPodStatus(t, ns, 3)
	k.waitForRevision(t, ns, "shop", 1)
	k.Apply(t, application(ns, "shop", strings.Replace(components, `"8000"`, `"8001"`, 1)))
	k.waitForRevision(t, ns, "shop", 2)
	for _, q := range []string{
		"component-pod-view{appName=shop, appNs=%s}",
		"component-pod-view{appName=shop, appNs=%s, name=web, cluster=local}.status.podList",
		"component-pod-view{appName=shop, appNs=%s, name=nothing}",
		"component-service-view{appName=shop, appNs=%s}",
		"service-endpoints-view{appName=shop, appNs=%s}.status.endpoints",
		"service-endpoints-view{appName=shop, appNs=%s, name=web}",
		"service-applied-resources-view{appName=shop, appNs=%s}",
		"service-applied-resources-view{appName=shop, appNs=%s, cluster=elsewhere}",
		"application-resource-tree-view{appName=shop, appNs=%s}",
		"application-resource-tree-view{appName=shop, appNs=%s, name=web, queryNewest=true}",
		"application-revision-view{name=shop-v1, namespace=%s}.status.metadata.name",
	} {
		q = fmt.Sprintf(q, ns)
		cluster.Eventually(t, q, func(ctx context.Context) error {
			return k.compareView(t, ctx, q)
		})
	}
	k.compareRestricted(t, ns)
}

// setPodStatus sets the phase of Pods to Running, like a kubelet, until n Pods are running.
func (k env) setPodStatus(t *testing.T, namespace string, n int) {
	t.Helper()
	cluster.Eventually(t, fmt.Sprintf("%d running Pods", n), func(ctx context.Context) error {
		pods := &unstructured.UnstructuredList{}
		pods.SetAPIVersion("v1")
		pods.SetKind("PodList")
		if err := k.Client.List(ctx, pods, client.InNamespace(namespace)); err != nil {
			return err
		}
		running := 0
		for _, p := range pods.Items {
			if phase, _, _ := unstructured.NestedString(p.Object, "status", "phase"); phase == "Running" {
				running++
				continue
			}
			p.Object["status"] = map[string]any{
				"phase": "Running", "podIP": "10.0.0.1", "hostIP": "10.0.1.1",
				"conditions":        []any{map[string]any{"type": "Ready", "status": "True"}},
				"containerStatuses": []any{map[string]any{"name": "c", "ready": true, "restartCount": int64(1), "image": "x", "imageID": "x", "state": map[string]any{"running": map[string]any{}}}},
			}
			if err := k.Client.Status().Update(ctx, &p); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				return err
			}
		}
		if running < n {
			return fmt.Errorf("got %d running Pods, want %d", running, n)
		}
		return nil
	})
}

// compareView returns an error if the results of a view in pkg/velaql and in `vela ql`
// differ.
func (k env) compareView(t *testing.T, ctx context.Context, text string) error {
	q, err := query.Parse(text)
	if err != nil {
		return err
	}
	v, diags := view.New(q, view.Options{Client: k.Client, Executor: provider.New(provider.Options{Client: k.Client})})
	if len(diags) > 0 {
		return diags
	}
	got, err := v.Evaluate(ctx)
	if err != nil {
		return err
	}
	output := k.Vela(t, "ql", "--query", text)
	var want any
	if err := json.Unmarshal([]byte(output), &want); err != nil {
		want = strings.TrimSpace(output) // vela ql prints strings without quotes
	}
	encoded, err := json.Marshal(got)
	if err != nil {
		return err
	}
	var decoded any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		return err
	}
	if diff := cmp.Diff(normalize(want), normalize(decoded)); diff != "" {
		return errors.New(diff)
	}
	if strings.Contains(string(encoded), "null") || len(encoded) < 5 {
		t.Logf("result of %s: %s", text, encoded)
	}
	return nil
}

// normalize removes the fields that change over time, or that differ between pkg/velaql and
// `vela ql`.
func normalize(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "Age")
		if v["deletionTimestamp"] == "0001-01-01T00:00:00Z" {
			delete(v, "deletionTimestamp")
		}
		if v["statusCode"] == "Progressing" {
			delete(v, "message")
		}
		if ref, ok := v["ref"].(map[string]any); ok {
			delete(ref, "apiVersion") // vela ql omits it
		}
		if tree, ok := v["resourceTree"].(map[string]any); ok {
			delete(tree, "uid") // vela ql omits it
		}
		for key, e := range v {
			v[key] = normalize(e)
		}
	case []any:
		for i, e := range v {
			v[i] = normalize(e)
		}
	}
	return v
}

// compareRestricted tests that views have the same results with administrator rights and
// without the right to list ResourceTrackers.
func (k env) compareRestricted(t *testing.T, namespace string) {
	t.Helper()
	config := k.ServiceAccount(t, namespace, "reader", rbacv1.PolicyRule{
		APIGroups: []string{"", "core.oam.dev", "apps", "batch"}, Resources: []string{"applications", "deployments", "replicasets", "jobs", "pods"}, Verbs: []string{"get", "list"},
	})
	reader, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const template = `
		import "vela/ql"
		parameter: namespace: string
		pods: ql.#CollectPods & {$params: app: {name: "shop", namespace: parameter.namespace, filter: kind: "Pod"}}
		all: ql.#ListAppliedResources & {$params: app: {name: "shop", namespace: parameter.namespace}}
		status: {Pods: len(pods.$returns.list), All: len(all.$returns.list)}
	`
	var results []string
	for _, c := range []client.Client{k.Client, reader} {
		v, diags := view.New(query.Query{Template: template, Parameter: map[string]any{"namespace": namespace}},
			view.Options{Client: c, Executor: provider.New(provider.Options{Client: c})})
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		got, err := v.Evaluate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, fmt.Sprint(got))
	}
	if results[0] != results[1] || results[0] != "map[All:8 Pods:3]" {
		t.Errorf("got %s, and without ResourceTrackers %s, want map[All:8 Pods:3]", results[0], results[1])
	}
}
