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
	"iter"
	"slices"

	workflow "github.com/kubevela/workflow/api/v1alpha1"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/common"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// byService indexes Roles and RoleBindings by serviceOf, and Applications by the names of their
// TriggerServices in BumpNamespace; byApplication and byComponent index TriggerServices by the
// Application of elsewhere and of ownComponent.
const (
	byService     = "service"
	byApplication = "application"
	byComponent   = "component"
)

// setupBumpRights adds a bumpReconciler to m. Without KubeVela there is nothing to bump, and
// it does nothing.
func setupBumpRights(ctx context.Context, m ctrl.Manager, r *reconciler) error {
	_, err := m.GetRESTMapper().RESTMapping(v1beta1.ApplicationKindVersionKind.GroupKind(), v1beta1.ApplicationKindVersionKind.Version)
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
		Complete(r.stuck.watch("bump", bumpReconciler{r.withReader(cluster)}))
	if err == nil {
		err = setupConfigRights(ctx, m, r, cluster)
	}
	if err != nil || len(r.BumpClusters) == 0 {
		return err
	}
	return setupClusterBumps(ctx, m, r, cluster)
}

// setupConfigRights adds a configReconciler to m, and lets r read the Roles that it writes.
// applications caches Applications.
func setupConfigRights(ctx context.Context, m ctrl.Manager, r *reconciler, applications cache.Cache) error {
	labelled := cache.ByObject{Label: labels.SelectorFromSet(configLabels())}
	role, binding := &rbacv1.Role{}, &rbacv1.RoleBinding{}
	rights, err := cache.New(m.GetConfig(), cache.Options{
		Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(), HTTPClient: m.GetHTTPClient(), DefaultNamespaces: r.Namespaces,
		ByObject: map[client.Object]cache.ByObject{role: labelled, binding: labelled},
	})
	if err != nil {
		return fmt.Errorf("cache rights to watch: %w", err)
	}
	if err := m.Add(rights); err != nil {
		return err
	}
	r.configRoles = rights
	err = m.GetFieldIndexer().IndexField(ctx, &v1alpha1.TriggerService{}, byComponent, func(o client.Object) []string {
		ts, ok := o.(*v1alpha1.TriggerService)
		if !ok {
			return nil
		}
		app := ownComponent(ts)
		return []string{types.NamespacedName{Namespace: app.Namespace, Name: app.Name}.String()}
	})
	if err != nil {
		return err
	}
	ofApplication := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []ctrl.Request {
		return r.requests(ctx, client.MatchingFields{byComponent: client.ObjectKeyFromObject(o).String()})
	})
	changed := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{})
	return ctrl.NewControllerManagedBy(m).
		Named("config").
		For(&v1alpha1.TriggerService{}, builder.WithPredicates(changed)).
		WatchesRawSource(source.Kind[client.Object](rights, role, ofService(m))).
		WatchesRawSource(source.Kind[client.Object](rights, binding, ofService(m))).
		WatchesRawSource(source.Kind[client.Object](applications, newApplication(), ofApplication, deployed())).
		Complete(r.stuck.watch("config", configReconciler{r.withReader(rights)}))
}

// ofService enqueues the TriggerService that controls an object.
func ofService(m ctrl.Manager) handler.EventHandler {
	return handler.EnqueueRequestForOwner(m.GetScheme(), m.GetRESTMapper(), &v1alpha1.TriggerService{}, handler.OnlyControllerOwner())
}

// deployed ignores updates of an Application that change nothing of what keepListed keeps of
// its status.
func deployed() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		old, ok := e.ObjectOld.(*unstructured.Unstructured)
		updated, okNew := e.ObjectNew.(*unstructured.Unstructured)
		return !ok || !okNew || !equality.Semantic.DeepEqual(old.Object["status"], updated.Object["status"])
	}}
}

// withReader returns a copy of r that applies and deletes what it reads with reader.
func (r *reconciler) withReader(reader client.Reader) *reconciler {
	return &reconciler{Options: r.Options, client: r.client, reader: reader, apiReader: r.apiReader, events: r.events, configRoles: r.configRoles}
}

func newApplication() *unstructured.Unstructured {
	return newObject(v1beta1.ApplicationKindVersionKind)
}

// deployment returns the paths of the fields of an Application's status that change whenever
// it is deployed.
func deployment() [][]string {
	return [][]string{{"status"}, {"latestRevision", "name"}, {"workflow", "status"}, {"workflow", "endTime"}}
}

// keepListed drops from an Application all but what identifies it, the TriggerServices in its
// status.appliedResources, the fields of deployment, and what keepPlacements keeps: a cache holds
// all Applications. Of other applied resources it keeps the first.
func (r *reconciler) keepListed(o any) (any, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok || u.GroupVersionKind() != v1beta1.ApplicationKindVersionKind {
		return o, nil
	}
	small := newApplication()
	small.SetNamespace(u.GetNamespace())
	small.SetName(u.GetName())
	small.SetUID(u.GetUID())
	small.SetResourceVersion(u.GetResourceVersion())
	var listed []any
	for o, applied := range appliedResources(u) {
		if isTriggerService(applied) || slices.Contains(r.BumpClusters, applied.Cluster) || len(listed) == 0 { // see unlists
			listed = append(listed, o)
		}
	}
	status := map[string]any{"appliedResources": listed}
	small.Object["status"] = status
	for _, path := range deployment() {
		value, ok, err := unstructured.NestedString(u.Object, append([]string{"status"}, path...)...)
		if ok && err == nil {
			_ = unstructured.SetNestedField(status, value, path...) // no other value is on the path
		}
	}
	keepPlacements(small, u, r.BumpClusters)
	return small, nil
}

// appliedResources returns the status.appliedResources of an Application.
func appliedResources(app *unstructured.Unstructured) iter.Seq2[map[string]any, common.ClusterObjectReference] {
	return inStatus[common.ClusterObjectReference](app, "appliedResources")
}

// inStatus returns the elements of a list in the status of an Application, as they are and as T.
// It skips those of another form. The status is not decoded into AppStatus as a whole, which has
// no fields for what newer versions of KubeVela say of a workflow.
func inStatus[T any](app *unstructured.Unstructured, list string) iter.Seq2[map[string]any, T] {
	return func(yield func(map[string]any, T) bool) {
		value, _, _ := unstructured.NestedFieldNoCopy(app.Object, "status", list)
		elements, _ := value.([]any)
		for _, e := range elements {
			var element T
			object, ok := e.(map[string]any)
			if ok && runtime.DefaultUnstructuredConverter.FromUnstructured(object, &element) == nil && !yield(object, element) {
				return
			}
		}
	}
}

// isTriggerService reports whether an applied resource is a TriggerService in the cluster of the
// Application.
func isTriggerService(applied common.ClusterObjectReference) bool {
	return applied.Kind == v1alpha1.TriggerServiceKind && multicluster.IsLocal(applied.Cluster)
}

// lists reports whether the status of an Application lists a TriggerService.
func lists(app *unstructured.Unstructured, ts types.NamespacedName) bool {
	for _, applied := range appliedResources(app) {
		if isTriggerService(applied) && applied.Namespace == ts.Namespace && applied.Name == ts.Name {
			return true
		}
	}
	return false
}

// unlists reports whether KubeVela has deployed an Application without the TriggerService ts. It
// empties status.appliedResources when a deployment begins.
func unlists(app *unstructured.Unstructured, ts types.NamespacedName) bool {
	for range appliedResources(app) {
		return isDeployed(app) && !lists(app, ts)
	}
	return false
}

// isDeployed reports whether the last deployment of an Application has succeeded.
func isDeployed(app *unstructured.Unstructured) bool {
	phase, _, _ := unstructured.NestedString(app.Object, "status", "workflow", "status")
	return workflow.WorkflowRunPhase(phase) == workflow.WorkflowStateSucceeded
}
