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

// Package ql answers the calls of the CUE package `vela/ql`, with which views of
// KubeVela find out what belongs to an Application: what it deploys, what becomes
// of that, its Pods, and where it is reached.
//
// What an Application deploys is what its ResourceTrackers say. Who may not list
// those gets what the status of the Application says: all of it counts as of the
// current revision, and objects say themselves which component they are of.
//
// Answers are the same for as long as nothing changes: there is no age in them. A
// part that cannot be read fails the whole.
package functions

import (
	"context"
	_ "embed"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

//go:embed ql.cue
var source string

// Source returns the CUE of the package.
func Source() string { return source }

// Namespace is KubeVela's own, which holds views and rules for all namespaces.
const Namespace = "vela-system"

// Querier answers calls. It is safe for concurrent use.
type Querier struct {
	// Client reaches the cluster. Its identity holds for every call.
	Client client.Client
	// Clusters returns what reaches a joined cluster; nil where none is reached.
	Clusters func(ctx context.Context, name string) (client.Client, error)
}

// inClusterOf returns what reads r, which may be in a joined cluster.
func (q Querier) inClusterOf(ctx context.Context, r resource) (Querier, error) {
	if r.isLocal() {
		return q, nil
	}
	if q.Clusters == nil {
		return q, fmt.Errorf("%s %s is in cluster %q: only the worker's own cluster can be reached; filter.cluster narrows what is asked for", r.Kind, objectName(r.Namespace, r.Name), r.Cluster)
	}
	c, err := q.Clusters(ctx, r.Cluster)
	return Querier{Client: c}, err
}

// Do answers the call of a function, named as in `#do`, with a list.
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

// events returns the Events about an object.
func (q Querier) events(ctx context.Context, params map[string]any) ([]any, error) {
	value, _ := params["value"].(map[string]any)
	about := unstructured.Unstructured{Object: value}
	selector := fields.Set{}
	for field, wanted := range map[string]string{
		"name": about.GetName(), "namespace": about.GetNamespace(), "kind": about.GetKind(), "uid": string(about.GetUID()),
	} {
		if wanted != "" {
			selector["involvedObject."+field] = wanted
		}
	}
	events, err := q.list(ctx, schema.GroupVersionKind{Version: "v1", Kind: "Event"}, client.ListOptions{
		Namespace: about.GetNamespace(), FieldSelector: selector.AsSelector(),
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

// list reads all objects that options select.
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

// convert stores what from is as JSON in into, whole numbers as integers.
func convert(from, into any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
