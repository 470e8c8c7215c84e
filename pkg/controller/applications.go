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

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// applicationKind returns the kind of KubeVela's Applications.
func applicationKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "core.oam.dev", Version: "v1beta1", Kind: "Application"}
}

// byService indexes Roles and RoleBindings by serviceOf, and Applications by the names of their
// TriggerServices in BumpNamespace; byApplication indexes TriggerServices by the Application of elsewhere.
const (
	byService     = "service"
	byApplication = "application"
)

// setupBumpRights adds a bumpReconciler to m. Without KubeVela there is nothing to bump, and
// it does nothing.
func setupBumpRights(ctx context.Context, m ctrl.Manager, r *reconciler) error {
	_, err := m.GetRESTMapper().RESTMapping(applicationKind().GroupKind(), applicationKind().Version)
	if meta.IsNoMatchError(err) {
		m.GetLogger().Info("KubeVela is not installed: no rights to bump Applications are given before the next start")
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the kind Application: %w", err)
	}
	labelled := cache.ByObject{Label: labels.SelectorFromSet(bumpLabels())}
	role, binding, app := &rbacv1.Role{}, &rbacv1.RoleBinding{}, newApplication()
	cluster, err := cache.New(m.GetConfig(), cache.Options{
		Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(), HTTPClient: m.GetHTTPClient(), DefaultNamespaces: r.Namespaces,
		ByObject: map[client.Object]cache.ByObject{role: labelled, binding: labelled, app: {Transform: r.keepListed}},
	})
	if err != nil {
		return fmt.Errorf("cache Applications: %w", err)
	}
	if err := m.Add(cluster); err != nil {
		return err
	}
	for _, o := range []client.Object{role, binding} {
		err := cluster.IndexField(ctx, o, byService, func(o client.Object) []string { return []string{serviceOf(o).String()} })
		if err != nil {
			return err
		}
	}
	err = m.GetFieldIndexer().IndexField(ctx, &v1alpha1.TriggerService{}, byApplication, func(o client.Object) []string {
		ts, ok := o.(*v1alpha1.TriggerService)
		if !ok {
			return nil
		}
		app := elsewhere(ts)
		return []string{types.NamespacedName{Namespace: app.Namespace, Name: app.Name}.String()}
	})
	if err != nil {
		return err
	}
	ofRight := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: serviceOf(o)}}
	})
	ofApplication := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []ctrl.Request {
		return r.requests(ctx, client.MatchingFields{byApplication: client.ObjectKeyFromObject(o).String()})
	})
	changed := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{})
	err = ctrl.NewControllerManagedBy(m).
		Named("bump").
		For(&v1alpha1.TriggerService{}, builder.WithPredicates(changed)).
		WatchesRawSource(source.Kind[client.Object](cluster, role, ofRight)).
		WatchesRawSource(source.Kind[client.Object](cluster, binding, ofRight)).
		WatchesRawSource(source.Kind[client.Object](cluster, app, ofApplication)).
		Complete(bumpReconciler{r.withReader(cluster)})
	if err != nil || len(r.BumpClusters) == 0 {
		return err
	}
	return setupClusterBumps(ctx, m, r, cluster)
}

// withReader returns a copy of r that applies and deletes what it reads with reader.
func (r *reconciler) withReader(reader client.Reader) *reconciler {
	return &reconciler{Options: r.Options, client: r.client, reader: reader, apiReader: r.apiReader, events: r.events}
}

func newApplication() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(applicationKind())
	return u
}

// keepListed drops from an Application all but what identifies it, the TriggerServices in
// its status.appliedResources, and what keepPlacements keeps: a cache holds all Applications.
func (r *reconciler) keepListed(o any) (any, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok || u.GroupVersionKind() != applicationKind() {
		return o, nil
	}
	small := newApplication()
	small.SetNamespace(u.GetNamespace())
	small.SetName(u.GetName())
	small.SetUID(u.GetUID())
	small.SetResourceVersion(u.GetResourceVersion())
	all, _, _ := unstructured.NestedSlice(u.Object, "status", "appliedResources")
	var listed []any
	for _, o := range all {
		if isTriggerService(o) || isIn(o, r.BumpClusters) {
			listed = append(listed, o)
		}
	}
	small.Object["status"] = map[string]any{"appliedResources": listed}
	keepPlacements(small, u, r.BumpClusters)
	return small, nil
}

// isTriggerService reports whether an element of status.appliedResources is a TriggerService
// in the cluster of the Application.
func isTriggerService(o any) bool {
	r, _ := o.(map[string]any)
	cluster, _ := r["cluster"].(string)
	return r["kind"] == v1alpha1.TriggerServiceKind && (cluster == "" || cluster == multicluster.Local)
}

// lists reports whether the status of an Application lists a TriggerService.
func lists(app *unstructured.Unstructured, ts types.NamespacedName) bool {
	all, _, _ := unstructured.NestedSlice(app.Object, "status", "appliedResources")
	for _, o := range all {
		r, _ := o.(map[string]any)
		if isTriggerService(o) && r["namespace"] == ts.Namespace && r["name"] == ts.Name {
			return true
		}
	}
	return false
}
