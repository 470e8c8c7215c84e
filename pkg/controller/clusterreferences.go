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

	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/reference"
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
	labels := client.MatchingLabels{oam.LabelAppName: app.GetName(), oam.LabelAppNamespace: app.GetNamespace()}
	found := map[clusterReference]bool{}
	for namespace, components := range placed {
		missing := maps.Clone(components)
		for _, kind := range kindsIn(app, cluster) {
			objects, err := list(ctx, connection.Client, kind, client.InNamespace(namespace), labels)
			if err != nil && !meta.IsNoMatchError(err) {
				return nil, false, fmt.Errorf("list %s in namespace %q: %w", kind, namespace, err)
			}
			for i := range objects {
				component := objects[i].GetLabels()[oam.LabelAppComponent]
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
	for _, component := range componentsOf(app) {
		if component.Cluster != cluster {
			continue
		}
		if placed[component.Namespace] == nil {
			placed[component.Namespace] = map[string]bool{}
		}
		placed[component.Namespace][component.Name] = true
	}
	return placed
}

// kindsIn returns the kinds of the objects that app has in a cluster, sorted: those of
// workloads, and those that it has applied. The status lists what a component has applied only
// if the deployment had to apply it: it may lack objects that were as they should be.
func kindsIn(app *unstructured.Unstructured, cluster string) []schema.GroupVersionKind {
	kinds := map[schema.GroupVersionKind]bool{{Version: "v1", Kind: reference.ConfigMap}: true, {Version: "v1", Kind: reference.Secret}: true}
	for _, component := range componentsOf(app) {
		if workload := component.WorkloadDefinition; component.Cluster == cluster && workload.Kind != "" {
			kinds[schema.FromAPIVersionAndKind(workload.APIVersion, workload.Kind)] = true
		}
	}
	for _, applied := range appliedResources(app) {
		if applied.Cluster == cluster && applied.Namespace != "" && applied.Kind != "" {
			kinds[applied.GroupVersionKind()] = true
		}
	}
	return slices.SortedFunc(maps.Keys(kinds), func(a, b schema.GroupVersionKind) int {
		return slices.Compare([]string{a.Group, a.Version, a.Kind}, []string{b.Group, b.Version, b.Kind})
	})
}
