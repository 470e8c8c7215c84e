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
	"slices"
	"time"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// clusterBumpReconciler bumps Applications whose components with the trait bump-on-change
// are in joined clusters: KubeVela places a trait with its component, and nothing there can
// write an Application of the hub.
//
// It writes a TriggerService in BumpNamespace for each Application and each of
// Options.BumpClusters. The trigger of a ConfigMap or Secret watches it in that cluster.
//
// The status of the Application, which only KubeVela writes, says which components are where.
// Their objects are found by labels, which others may write in that cluster, but only in the
// namespaces where the components are placed. KubeVela empties the status when it starts to
// deploy the Application: until it has deployed all, and while a component has no objects,
// triggers are only added. While the cluster cannot be read, the TriggerService stays as it is.
type clusterBumpReconciler struct {
	*reconciler

	// applications reads Applications from a cache.
	applications client.Reader
	clusters     *multicluster.Clusters
}

const (
	// reasonNotWatched is the reason of Kubernetes events about an Application whose objects in a
	// cluster cannot be watched.
	reasonNotWatched = "NotWatched"
	// BumpNamespace is the namespace of the TriggerServices that bump Applications from
	// joined clusters. Their account may read these clusters: only the platform team and the
	// controller may write there.
	BumpNamespace = "vela-kube-trigger"
	// clusterTimeout limits the time to read the objects of an Application in a cluster.
	clusterTimeout = 10 * time.Second
	// clusterRetryDelay is the delay before a cluster that could not be read is read again. It
	// doubles with each failure, up to maxRetryDelay.
	clusterRetryDelay = time.Second
)

// hasClusterBumps reports whether the TriggerServices of a namespace are those that a
// clusterBumpReconciler writes.
func (r *reconciler) hasClusterBumps(namespace string) bool {
	return len(r.BumpClusters) > 0 && namespace == BumpNamespace
}

// Reconcile implements reconcile.Reconciler for one TriggerService of BumpNamespace, which
// need not exist.
func (r clusterBumpReconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	app, cluster, err := r.placement(ctx, q.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	current := &v1alpha1.TriggerService{ObjectMeta: metav1.ObjectMeta{Namespace: q.Namespace, Name: q.Name}}
	if app == nil {
		return ctrl.Result{}, r.delete(ctx, current, isManaged)
	}
	if err := r.reconcileCluster(ctx, app, cluster, current); err != nil {
		r.events.Eventf(app, corev1.EventTypeWarning, reasonNotWatched, "Trait bump-on-change in cluster %q: %v", cluster, err)
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, nil
}

// reconcileCluster applies the TriggerService of app for a cluster, or deletes it if there is
// nothing to watch.
func (r clusterBumpReconciler) reconcileCluster(ctx context.Context, app *unstructured.Unstructured, cluster string, current *v1alpha1.TriggerService) error {
	key := client.ObjectKeyFromObject(current)
	references, complete, err := r.references(ctx, app, cluster)
	if err != nil {
		return err
	}
	ts := newClusterBump(key, app, cluster, references)
	if !complete || !isDeployed(app) {
		if err := r.client.Get(ctx, key, current); client.IgnoreNotFound(err) != nil {
			return err
		}
		ts.Spec.Triggers = union(ts.Spec.Triggers, current.Spec.Triggers)
	}
	if len(ts.Spec.Triggers) == 1 { // that of the Application alone
		return r.delete(ctx, current, isManaged)
	}
	return r.apply(ctx, ts, &v1alpha1.TriggerService{}, isManaged)
}

// placement returns the Application and the cluster of a TriggerService. The Application is
// nil if there is none to bump.
func (r clusterBumpReconciler) placement(ctx context.Context, service string) (*unstructured.Unstructured, string, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1beta1.SchemeGroupVersion.WithKind(v1beta1.ApplicationKind + "List"))
	if err := r.applications.List(ctx, list, client.MatchingFields{byService: service}); err != nil {
		return nil, "", fmt.Errorf("list Applications: %w", err)
	}
	for i := range list.Items {
		app := &list.Items[i]
		for _, c := range r.BumpClusters {
			if clusterBumpName(client.ObjectKeyFromObject(app), c) == service && app.GetDeletionTimestamp() == nil && !isPinned(app) {
				return app, c, nil
			}
		}
	}
	return nil, "", nil
}

// union returns the triggers of a, and those of b with other names.
func union(a, b []v1alpha1.Trigger) []v1alpha1.Trigger {
	for _, t := range b {
		if !slices.ContainsFunc(a, func(other v1alpha1.Trigger) bool { return other.Name == t.Name }) {
			a = append(a, t)
		}
	}
	return a
}

// requestsForApplication returns requests for the TriggerServices of the Application o, in
// each of BumpClusters.
func (r clusterBumpReconciler) requestsForApplication(_ context.Context, o client.Object) []ctrl.Request {
	var all []ctrl.Request
	for _, name := range r.clusterBumpNames(o) {
		all = append(all, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: BumpNamespace, Name: name}})
	}
	return all
}

// clusterBumpNames returns the names of the TriggerServices of the Application o.
func (r clusterBumpReconciler) clusterBumpNames(o client.Object) []string {
	var names []string
	for _, c := range r.BumpClusters {
		names = append(names, clusterBumpName(client.ObjectKeyFromObject(o), c))
	}
	return names
}
