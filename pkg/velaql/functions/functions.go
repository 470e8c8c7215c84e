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

// Package functions implements the functions of the CUE package `vela/ql`, which views
// of KubeVela use to find the resources of an Application: the objects that it deploys,
// their trees of owned objects, its Pods, Services and endpoints.
//
// The deployed resources are read from the Application's ResourceTrackers. If the
// identity may not list ResourceTrackers, they are read from the Application's status:
// then all resources count as part of the current revision, and their components are
// read from the labels of the objects.
//
// Results contain no ages, so that they are equal as long as nothing changes. If a part
// of a result cannot be read, the call fails.
package functions

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/common"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

//go:embed ql.cue
var source string

// Source returns the CUE source of `vela/ql`.
func Source() string { return source }

// Querier executes calls of `vela/ql`. It is safe for concurrent use.
type Querier struct {
	// Client accesses the cluster. All calls use its identity.
	Client client.Client
	// Clusters returns the client of a joined cluster. If it is nil, calls for joined
	// clusters fail.
	Clusters func(ctx context.Context, name string) (client.Client, error)
}

// inClusterOf returns a Querier for the cluster of r.
func (q Querier) inClusterOf(ctx context.Context, r common.ClusterObjectReference) (Querier, error) {
	if multicluster.IsLocal(r.Cluster) {
		return q, nil
	}
	if q.Clusters == nil {
		return q, fmt.Errorf("%s %s is in cluster %q: only the worker's own cluster is available; use filter.cluster to exclude others", r.Kind, objectName(r.Namespace, r.Name), r.Cluster)
	}
	c, err := q.Clusters(ctx, r.Cluster)
	return Querier{Client: c}, err
}

// Do executes the function do, named as in `#do`, and returns its list.
func (q Querier) Do(ctx context.Context, do string, params map[string]any) ([]any, error) {
	if do == "searchEvents" {
		return q.events(ctx, params)
	}
	var p struct {
		App appQuery `json:"app"`
	}
	if err := convert(params, &p); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	var (
		list any
		err  error
	)
	switch do {
	case "listResourcesInApp":
		list, err = q.deployedObjects(ctx, p.App)
	case "listAppliedResources":
		list, err = q.appliedResources(ctx, p.App)
	case "collectResources":
		list, err = q.collectObjects(ctx, p.App)
	case "collectServiceEndpoints":
		list, err = q.endpoints(ctx, p.App)
	default:
		return nil, fmt.Errorf("no function %q in vela/ql", do)
	}
	if err != nil {
		return nil, err
	}
	out := []any{}
	if err := convert(list, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// events implements searchEvents.
func (q Querier) events(ctx context.Context, params map[string]any) ([]any, error) {
	content, _ := params["value"].(map[string]any)
	object := unstructured.Unstructured{Object: content}
	selector := fields.Set{}
	for field, value := range map[string]string{
		"name": object.GetName(), "namespace": object.GetNamespace(), "kind": object.GetKind(), "uid": string(object.GetUID()),
	} {
		if value != "" {
			selector["involvedObject."+field] = value
		}
	}
	events, err := q.list(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Event"}, client.ListOptions{
		Namespace: object.GetNamespace(), FieldSelector: selector.AsSelector(),
	})
	if err != nil {
		return nil, err
	}
	list := make([]any, len(events))
	for i := range events {
		list[i] = events[i].Object
	}
	return list, nil
}

// get reads one object.
func (q Querier) get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	if err := q.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", kind.Kind, objectName(namespace, name), err)
	}
	return o, nil
}

// list reads the objects that options select.
func (q Querier) list(ctx context.Context, kind schema.GroupVersionKind, options client.ListOptions) ([]unstructured.Unstructured, error) {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := q.Client.List(ctx, l, &options); err != nil {
		return nil, fmt.Errorf("list %s: %w", kind.Kind, err)
	}
	for i := range l.Items {
		l.Items[i].SetGroupVersionKind(kind)
	}
	return l.Items, nil
}

func objectName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// convert copies from to into by way of JSON. Integers stay integers.
func convert(from, into any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
