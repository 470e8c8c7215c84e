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
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// namespaceReconciler reconciles what the TriggerServices of a namespace share: the
// ServiceAccount of their workers and its rights, and the default ServiceAccount of the
// triggers. The TriggerServices own the ServiceAccounts, and these own everything else, so
// that all of it is deleted with the last TriggerService.
type namespaceReconciler struct{ *reconciler }

// ownersDelay is the time for which changes of the TriggerServices in a namespace are
// collected: one by one they would write the shared objects as often as there are
// TriggerServices.
const ownersDelay = 5 * time.Second

// setupNamespaces adds a controller to m whose requests have only a namespace.
func setupNamespaces(m ctrl.Manager, r *reconciler, caches namedCaches) error {
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
	b := ctrl.NewControllerManagedBy(m).
		Named("namespace").
		Watches(&v1alpha1.TriggerService{}, delayed, builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	for name, objects := range accountObjects() {
		for _, o := range objects {
			b = b.WatchesRawSource(source.Kind[client.Object](caches.byName[name], o, atOnce))
		}
	}
	return b.Complete(r.stuck.watch("namespace", namespaceReconciler{r}))
}

// Reconcile implements reconcile.Reconciler for one namespace.
func (r namespaceReconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	_, err := r.reconcileNamespace(ctx, q.Namespace)
	if errors.As(err, &conflictError{}) { // the conditions of the TriggerServices report it
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, err
}

// workerOwner returns an owner reference to the ServiceAccount of the workers in the
// namespace of ts. It applies what ts needs there at once if it is missing: pods cannot
// start without it. The error is a conflictError if the ServiceAccount is another's.
func (r namespaceReconciler) workerOwner(ctx context.Context, ts *v1alpha1.TriggerService) (metav1.OwnerReference, error) {
	account, role := &corev1.ServiceAccount{}, &rbacv1.Role{}
	needed := map[string][]client.Object{
		trigger.WorkerAccount: {account, &rbacv1.RoleBinding{}},
		ImpersonateRole:       {role, &rbacv1.RoleBinding{}},
	}
	if trigger.Account(ts) == v1alpha1.DefaultServiceAccount {
		needed[v1alpha1.DefaultServiceAccount] = []client.Object{&corev1.ServiceAccount{}}
	}
	for name, objects := range needed {
		for _, o := range objects {
			err := r.reader.Get(ctx, types.NamespacedName{Namespace: ts.Namespace, Name: name}, o)
			if apierrors.IsNotFound(err) {
				return r.reconcileNamespace(ctx, ts.Namespace)
			}
			if err != nil {
				return metav1.OwnerReference{}, err
			}
		}
	}
	if !isManaged(account) || !slices.Contains(impersonated(role), trigger.Account(ts)) {
		return r.reconcileNamespace(ctx, ts.Namespace)
	}
	return accountReference(account), nil
}

// reconcileNamespace applies what the TriggerServices of a namespace share, or deletes it
// when none is left. It returns a reference to the ServiceAccount of the workers, or a
// conflictError if an object of its name was not created by the controller.
func (r namespaceReconciler) reconcileNamespace(ctx context.Context, namespace string) (metav1.OwnerReference, error) {
	all, err := r.servicesIn(ctx, namespace)
	if err != nil {
		return metav1.OwnerReference{}, err
	}
	// A TriggerService with a forbidden ServiceAccount gets nothing, above all not the right to
	// act as it.
	services := slices.DeleteFunc(slices.Clone(all), func(ts v1alpha1.TriggerService) bool {
		return !ts.DeletionTimestamp.IsZero() || r.Lockdown.CheckAccount(&ts) != ""
	})
	if err := r.removeNamespaceWorker(ctx, namespace, services); err != nil {
		return metav1.OwnerReference{}, err
	}
	if err := r.reconcileDefaultAccount(ctx, namespace, services); err != nil {
		return metav1.OwnerReference{}, err
	}
	account := newServiceAccount(namespace, trigger.WorkerAccount, services)
	if len(services) == 0 { // what the ServiceAccount owns is deleted with it
		return metav1.OwnerReference{}, r.delete(ctx, account, isManaged)
	}
	if err := r.apply(ctx, account, &corev1.ServiceAccount{}, isManaged); err != nil {
		return metav1.OwnerReference{}, err
	}
	owner := accountReference(account)
	for _, o := range []client.Object{
		newBinding(namespace, trigger.WorkerAccount, "ClusterRole", WorkerRole, trigger.WorkerAccount, owner),
		newImpersonateRole(namespace, services, owner),
		newBinding(namespace, ImpersonateRole, "Role", ImpersonateRole, trigger.WorkerAccount, owner),
	} {
		current, _ := o.DeepCopyObject().(client.Object) // Get overwrites it
		if err := r.apply(ctx, o, current, isManaged); err != nil {
			return owner, err
		}
	}
	return owner, nil
}

// reconcileDefaultAccount applies the default ServiceAccount of a namespace and its
// RoleBinding, or deletes both when no TriggerService uses them any longer. An existing
// ServiceAccount that the controller did not create is used unchanged, and gets no
// RoleBinding.
func (r namespaceReconciler) reconcileDefaultAccount(ctx context.Context, namespace string, services []v1alpha1.TriggerService) error {
	users := slices.DeleteFunc(slices.Clone(services), func(ts v1alpha1.TriggerService) bool {
		return trigger.Account(&ts) != v1alpha1.DefaultServiceAccount
	})
	account := newServiceAccount(namespace, v1alpha1.DefaultServiceAccount, users)
	if len(users) == 0 { // its RoleBinding is deleted with it
		return r.delete(ctx, account, isManaged)
	}
	err := r.apply(ctx, account, &corev1.ServiceAccount{}, isManaged)
	if err == nil {
		binding := newBinding(namespace, DefaultRole, "ClusterRole", DefaultRole, v1alpha1.DefaultServiceAccount, accountReference(account))
		err = r.apply(ctx, binding, &rbacv1.RoleBinding{}, isManaged)
	}
	if errors.As(err, &conflictError{}) {
		return nil
	}
	return err
}

// removeNamespaceWorker deletes the worker of a namespace if it runs none of services.
func (r namespaceReconciler) removeNamespaceWorker(ctx context.Context, namespace string, services []v1alpha1.TriggerService) error {
	for i := range services {
		if r.templateName(&services[i]) == NamespaceTemplate {
			return nil
		}
	}
	return r.delete(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: trigger.NamespaceWorker}}, isManaged)
}

func newServiceAccount(namespace, name string, owners []v1alpha1.TriggerService) *corev1.ServiceAccount {
	account := &corev1.ServiceAccount{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: Labels()},
	}
	for i := range owners {
		account.OwnerReferences = append(account.OwnerReferences, ownerReference(&owners[i], false))
	}
	return account
}

// newImpersonateRole returns the Role to act as the ServiceAccounts that services name, and
// as no other one.
func newImpersonateRole(namespace string, services []v1alpha1.TriggerService, owner metav1.OwnerReference) *rbacv1.Role {
	names := map[string]bool{}
	for i := range services {
		names[trigger.Account(&services[i])] = true
	}
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ImpersonateRole, Labels: Labels(), OwnerReferences: []metav1.OwnerReference{owner}},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: []string{"impersonate"},
			ResourceNames: slices.Sorted(maps.Keys(names)),
		}},
	}
}

// impersonated returns the ServiceAccounts that a Role of newImpersonateRole names.
func impersonated(role *rbacv1.Role) []string {
	if len(role.Rules) == 0 {
		return nil
	}
	return role.Rules[0].ResourceNames
}

// newBinding returns a RoleBinding that grants a role to a ServiceAccount of the namespace.
func newBinding(namespace, name, kind, role, account string, owner metav1.OwnerReference) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: Labels(), OwnerReferences: []metav1.OwnerReference{owner}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}},
	}
}

// accountReference returns an owner reference to a ServiceAccount.
func accountReference(account *corev1.ServiceAccount) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ServiceAccount", Name: account.Name, UID: account.UID, Controller: ptr.To(true)}
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
