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
	"iter"
	"slices"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/common"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// setupClusterBumps adds a clusterBumpReconciler to m, which reads Applications from a cache.
func setupClusterBumps(ctx context.Context, m ctrl.Manager, r *reconciler, applications cache.Cache) error {
	clusters, err := multicluster.New(m.GetConfig(), m.GetHTTPClient(), multicluster.Auto, clock.RealClock{})
	if err != nil {
		return err
	}
	bumps := clusterBumpReconciler{reconciler: r, applications: applications, clusters: clusters}
	if err := applications.IndexField(ctx, newApplication(), byService, bumps.clusterBumpNames); err != nil {
		return err
	}
	own := predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetNamespace() == BumpNamespace && isManaged(o) })
	placed := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return !equalPlacements(e.ObjectOld, e.ObjectNew) }}
	return ctrl.NewControllerManagedBy(m).
		Named("clusterbump").
		For(&v1alpha1.TriggerService{}, builder.WithPredicates(own, predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Kind[client.Object](applications, newApplication(), handler.EnqueueRequestsFromMapFunc(bumps.requestsForApplication), placed)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](clusterRetryDelay, maxRetryDelay),
		}).
		Complete(r.stuck.watch("clusterbump", bumps))
}

// keepPlacements copies from an Application to small what a clusterBumpReconciler reads, beside
// the objects in clusters that small lists: the components with the trait bump-on-change there,
// and whether it is deployed, deleted or pinned.
func keepPlacements(small, app *unstructured.Unstructured, clusters []string) {
	if len(clusters) == 0 {
		return
	}
	small.SetDeletionTimestamp(app.GetDeletionTimestamp())
	if version := oam.GetPublishVersion(app); version != "" {
		oam.SetPublishVersion(small, version)
	}
	services := []any{}
	for s, component := range componentsOf(app) {
		if slices.Contains(clusters, component.Cluster) && slices.ContainsFunc(component.Traits, isBumpOnChange) {
			services = append(services, map[string]any{"cluster": s["cluster"], "namespace": s["namespace"], "name": s["name"], "workloadDefinition": s["workloadDefinition"]})
		}
	}
	revision, _, _ := unstructured.NestedString(app.Object, "status", "workflow", "appRevision")
	// Only a status that is no map is an error.
	_ = unstructured.SetNestedSlice(small.Object, services, "status", "services")
	_ = unstructured.SetNestedField(small.Object, revision, "status", "workflow", "appRevision")
}

// componentsOf returns the status.services of an Application.
func componentsOf(app *unstructured.Unstructured) iter.Seq2[map[string]any, common.ApplicationComponentStatus] {
	return inStatus[common.ApplicationComponentStatus](app, "services")
}

// isBumpOnChange reports whether the status of a trait is that of bump-on-change.
func isBumpOnChange(trait common.ApplicationTraitStatus) bool { return trait.Type == bumpTrait }

// equalPlacements reports whether two versions of an Application are the same to a
// clusterBumpReconciler. The revision counts: another one may refer to other objects.
func equalPlacements(a, b client.Object) bool {
	before, ok := a.(*unstructured.Unstructured)
	after, okAfter := b.(*unstructured.Unstructured)
	return ok && okAfter && isPinned(before) == isPinned(after) &&
		before.GetDeletionTimestamp().IsZero() == after.GetDeletionTimestamp().IsZero() &&
		equality.Semantic.DeepEqual(before.Object["status"], after.Object["status"])
}
