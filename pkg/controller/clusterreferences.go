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

package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// bumpTrait is the trait of components that bump their Application.
const bumpTrait = "bump-on-change"

// clusterReference is a ConfigMap or Secret in a cluster.
type clusterReference struct {
	namespace string
	reference.Reference
}

// references returns what the components of app with the trait bump-on-change refer to in the
// namespaces of a cluster where they are placed, sorted. It lists the components' objects there,
// and reports whether it has found some of each component.
func (r clusterBumpReconciler) references(ctx context.Context, app *unstructured.Unstructured, cluster string) (refs []clusterReference, complete bool, err error) {
	placed := placedIn(app, cluster)
	if len(placed) == 0 {
		return nil, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	connection, err := r.clusters.Connect(ctx, cluster)
	if err != nil {
		return nil, false, err
	}
	complete = true
	labels := client.MatchingLabels{trigger.AppNameLabel: app.GetName(), trigger.AppNamespaceLabel: app.GetNamespace()}
	found := map[clusterReference]bool{}
	for namespace, components := range placed {
		missing := maps.Clone(components)
		for _, kind := range kindsIn(app, cluster) {
			objects, err := list(ctx, connection.Client, kind, client.InNamespace(namespace), labels)
			if err != nil && !meta.IsNoMatchError(err) {
				return nil, false, fmt.Errorf("list %s in namespace %q: %w", kind, namespace, err)
			}
			for i := range objects {
				component := objects[i].GetLabels()[trigger.ComponentLabel]
				if !components[component] {
					continue
				}
				delete(missing, component)
				for _, ref := range reference.Of(&objects[i]) {
					found[clusterReference{namespace, ref}] = true
				}
			}
		}
		complete = complete && len(missing) == 0
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b clusterReference) int {
		return slices.Compare([]string{a.namespace, a.Kind, a.Name}, []string{b.namespace, b.Kind, b.Name})
	}), complete, nil
}

// list returns the objects of a kind, and of ConfigMaps and Secrets the metadata alone.
func list(ctx context.Context, c client.Client, kind schema.GroupVersionKind, options ...client.ListOption) ([]unstructured.Unstructured, error) {
	kinds := kind.GroupVersion().WithKind(kind.Kind + "List")
	if !isReferenced(kind) {
		all := &unstructured.UnstructuredList{}
		all.SetGroupVersionKind(kinds)
		err := c.List(ctx, all, options...)
		return all.Items, err
	}
	all := &metav1.PartialObjectMetadataList{}
	all.SetGroupVersionKind(kinds)
	err := c.List(ctx, all, options...)
	objects := make([]unstructured.Unstructured, len(all.Items))
	for i := range all.Items {
		objects[i].SetGroupVersionKind(kind)
		objects[i].SetName(all.Items[i].Name)
		objects[i].SetLabels(all.Items[i].Labels)
	}
	return objects, err
}

// isReferenced reports whether kind is one that others refer to.
func isReferenced(kind schema.GroupVersionKind) bool {
	return kind.Group == "" && (kind.Kind == reference.ConfigMap || kind.Kind == reference.Secret)
}

// placedIn returns the names of app's components with the trait bump-on-change in a cluster, by
// namespace.
func placedIn(app *unstructured.Unstructured, cluster string) map[string]map[string]bool {
	placed := map[string]map[string]bool{}
	for _, s := range nestedMaps(app, "status", "services") {
		if s["cluster"] != cluster {
			continue
		}
		namespace, _ := s["namespace"].(string)
		name, _ := s["name"].(string)
		if placed[namespace] == nil {
			placed[namespace] = map[string]bool{}
		}
		placed[namespace][name] = true
	}
	return placed
}

// kindsIn returns the kinds of the objects that app has in a cluster, sorted: those of
// workloads, and those that it has applied. The status lists what a component has applied only
// if the deployment had to apply it: it may lack objects that were as they should be.
func kindsIn(app *unstructured.Unstructured, cluster string) []schema.GroupVersionKind {
	kinds := map[schema.GroupVersionKind]bool{{Version: "v1", Kind: reference.ConfigMap}: true, {Version: "v1", Kind: reference.Secret}: true}
	add := func(o map[string]any) {
		apiVersion, _ := o["apiVersion"].(string)
		kind, _ := o["kind"].(string)
		if kind != "" {
			kinds[schema.FromAPIVersionAndKind(apiVersion, kind)] = true
		}
	}
	for _, s := range nestedMaps(app, "status", "services") {
		if workload, ok := s["workloadDefinition"].(map[string]any); ok && s["cluster"] == cluster {
			add(workload)
		}
	}
	for _, a := range nestedMaps(app, "status", "appliedResources") {
		if namespace, _ := a["namespace"].(string); namespace != "" && a["cluster"] == cluster {
			add(a)
		}
	}
	return slices.SortedFunc(maps.Keys(kinds), func(a, b schema.GroupVersionKind) int {
		return slices.Compare([]string{a.Group, a.Version, a.Kind}, []string{b.Group, b.Version, b.Kind})
	})
}

// nestedMaps returns the maps of a list in u.
func nestedMaps(u *unstructured.Unstructured, fields ...string) []map[string]any {
	list, _, _ := unstructured.NestedSlice(u.Object, fields...)
	var all []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}
