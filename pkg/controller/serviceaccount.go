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
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// accountReconciler reconciles the default ServiceAccount of each namespace. All
// TriggerServices of a namespace own it: one by one they would write it as often as there
// are TriggerServices.
type accountReconciler struct{ *reconciler }

// ownersDelay is the time for which changes of the TriggerServices in a namespace are
// collected.
const ownersDelay = 5 * time.Second

// setupAccounts adds a controller to m whose requests have only a namespace.
func setupAccounts(m ctrl.Manager, r *reconciler) error {
	request := func(o client.Object) ctrl.Request {
		return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace()}}
	}
	type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]
	delayed := handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { q.AddAfter(request(e.Object), ownersDelay) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { q.AddAfter(request(e.ObjectNew), ownersDelay) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { q.AddAfter(request(e.Object), ownersDelay) },
	}
	atOnce := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []ctrl.Request {
		return []ctrl.Request{request(o)}
	})
	return ctrl.NewControllerManagedBy(m).
		Named("serviceaccount").
		Watches(&v1alpha1.TriggerService{}, delayed, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.ServiceAccount{}, atOnce).
		Watches(&rbacv1.RoleBinding{}, atOnce).
		Complete(accountReconciler{r})
}

// Reconcile implements reconcile.Reconciler for one namespace.
func (r accountReconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	return ctrl.Result{}, r.reconcileServiceAccount(ctx, q.Namespace)
}

// ensure applies the ServiceAccount of a namespace that has none, without a delay: pods
// cannot start without it.
func (r accountReconciler) ensure(ctx context.Context, namespace string) error {
	err := r.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: DefaultServiceAccount}, &corev1.ServiceAccount{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	return r.reconcileServiceAccount(ctx, namespace)
}

// reconcileServiceAccount applies the default ServiceAccount of a namespace and
// its RoleBinding, or deletes both when no TriggerService uses them any longer. An
// existing ServiceAccount that the controller did not create is used unchanged and
// gets no RoleBinding.
func (r accountReconciler) reconcileServiceAccount(ctx context.Context, namespace string) error {
	var services v1alpha1.TriggerServiceList
	err := r.client.List(ctx, &services, client.InNamespace(namespace), client.MatchingFields{byServiceAccount: DefaultServiceAccount}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list TriggerServices in namespace %q: %w", namespace, err)
	}
	var owners []metav1.OwnerReference
	for i := range services.Items {
		if services.Items[i].DeletionTimestamp.IsZero() {
			owners = append(owners, ownerReference(&services.Items[i], false))
		}
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: DefaultServiceAccount, Labels: Labels(), OwnerReferences: owners}
	serviceAccount := &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta}
	binding := &rbacv1.RoleBinding{
		TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"}, ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: WorkerRole},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: DefaultServiceAccount, Namespace: namespace}},
	}
	if len(owners) == 0 {
		return errors.Join(r.deleteManaged(ctx, binding), r.deleteManaged(ctx, serviceAccount))
	}
	err = r.apply(ctx, serviceAccount, &corev1.ServiceAccount{}, isManaged)
	if errors.As(err, &conflictError{}) {
		return nil
	}
	if err != nil {
		return err
	}
	err = r.apply(ctx, binding, &rbacv1.RoleBinding{}, isManaged)
	if errors.As(err, &conflictError{}) {
		return nil
	}
	return err
}

// isManaged reports whether o has the labels of the controller.
func isManaged(o client.Object) bool {
	labels := o.GetLabels()
	for k, v := range Labels() {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// deleteManaged deletes o if it exists and isManaged.
func (r *reconciler) deleteManaged(ctx context.Context, o client.Object) error {
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !isManaged(o) {
		return nil
	}
	return r.remove(ctx, o)
}
