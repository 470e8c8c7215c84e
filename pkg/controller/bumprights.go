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
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/name"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// bumpReconciler gives TriggerServices the right to bump the Application that they are part
// of, where KubeVela has placed them in another namespace than the Application's: KubeVela
// tells the template of a trait nothing about the latter.
//
// A TriggerService asks for it by the property ownApplication of an action or a source, and
// names the Application by its labels, which anybody may write. It gets the right while the
// status of the Application, which only KubeVela writes, lists it among what was applied.
// TriggerServices of BumpNamespace are the controller's own, and get the right, too.
//
// The right is a Role for that Application, and a RoleBinding to the TriggerService's account.
// Both are in the namespace of the Application, which owns them.
//
// Its reader reads Roles, RoleBindings and Applications from a cache.
type bumpReconciler struct{ *reconciler }

const (
	// serviceAnnotation of Roles and RoleBindings has the namespace and the name of the
	// TriggerService.
	serviceAnnotation = "trigger.oam.dev/trigger-service"
	// unlistedDelay is the time until an Application that does not list a TriggerService is
	// read again, if its status does not change before: the cache may be behind.
	unlistedDelay = 30 * time.Second
)

// Reconcile implements reconcile.Reconciler for one TriggerService, which may be deleted.
func (r bumpReconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	ts := &v1alpha1.TriggerService{}
	err := r.client.Get(ctx, q.NamespacedName, ts)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	var app event.Application
	if err == nil && ts.DeletionTimestamp.IsZero() && r.Lockdown.CheckAccount(ts) == "" {
		app = elsewhere(ts)
	}
	owner, err := r.listing(ctx, app, q.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if owner == nil {
		err = r.revoke(ctx, q.NamespacedName, "")
		if app != (event.Application{}) {
			return ctrl.Result{RequeueAfter: unlistedDelay}, err
		}
		return ctrl.Result{}, err
	}
	for _, o := range newBumpRight(ts, app, *owner) {
		current, _ := o.DeepCopyObject().(client.Object) // Get overwrites it
		if err := r.apply(ctx, o, current, isManaged); err != nil {
			if errors.As(err, &conflictError{}) || errors.As(err, &deniedError{}) {
				ctrl.LoggerFrom(ctx).Error(err, "Cannot give the right to bump", "application", app.Namespace+"/"+app.Name)
				return ctrl.Result{RequeueAfter: maxRetryDelay}, nil
			}
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, r.revoke(ctx, q.NamespacedName, app.Namespace)
}

// elsewhere returns the Application that ts asks to bump, if it is in another namespace.
func elsewhere(ts *v1alpha1.TriggerService) event.Application {
	app := trigger.ApplicationOf(ts)
	if app.Namespace == ts.Namespace || !usesOwnApplication(ts) {
		return event.Application{}
	}
	return app
}

// usesOwnApplication reports whether an action or a source of ts has the property
// ownApplication.
func usesOwnApplication(ts *v1alpha1.TriggerService) bool {
	uses := func(raw *runtime.RawExtension) bool {
		var p struct {
			OwnApplication bool `json:"ownApplication"`
		}
		return raw != nil && json.Unmarshal(raw.Raw, &p) == nil && p.OwnApplication
	}
	for _, t := range ts.Spec.Triggers {
		if uses(t.Source.Properties) || uses(t.Action.Properties) {
			return true
		}
		for _, a := range t.Actions {
			if uses(a.Properties) {
				return true
			}
		}
	}
	return false
}

// listing returns a reference to the Application if its status lists the TriggerService, else
// nil.
func (r bumpReconciler) listing(ctx context.Context, app event.Application, ts types.NamespacedName) (*metav1.OwnerReference, error) {
	if app == (event.Application{}) {
		return nil, nil
	}
	a := newApplication()
	err := r.reader.Get(ctx, types.NamespacedName{Namespace: app.Namespace, Name: app.Name}, a)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !lists(a, ts) && !r.hasClusterBumps(ts.Namespace) {
		granted, err := r.granted(ctx, ts)
		if err != nil || !granted || unlists(a, ts) {
			return nil, err
		}
	}
	return &metav1.OwnerReference{APIVersion: a.GetAPIVersion(), Kind: a.GetKind(), Name: a.GetName(), UID: a.GetUID()}, nil
}

// granted reports whether ts has the right, which it keeps while its Application is deployed.
func (r bumpReconciler) granted(ctx context.Context, ts types.NamespacedName) (bool, error) {
	var roles rbacv1.RoleList
	err := r.reader.List(ctx, &roles, client.MatchingFields{byService: ts.String()})
	return len(roles.Items) > 0, err
}

// revoke deletes the rights of a TriggerService, except those in the namespace kept.
func (r bumpReconciler) revoke(ctx context.Context, ts types.NamespacedName, kept string) error {
	var (
		roles    rbacv1.RoleList
		bindings rbacv1.RoleBindingList
		errs     []error
	)
	selected := client.MatchingFields{byService: ts.String()}
	if err := errors.Join(r.reader.List(ctx, &roles, selected), r.reader.List(ctx, &bindings, selected)); err != nil {
		return err
	}
	remove := func(o client.Object) {
		if o.GetNamespace() != kept {
			errs = append(errs, r.delete(ctx, o, isManaged))
		}
	}
	for i := range bindings.Items {
		remove(&bindings.Items[i])
	}
	for i := range roles.Items {
		remove(&roles.Items[i])
	}
	return errors.Join(errs...)
}

// newBumpRight returns the Role to bump app, and its RoleBinding to the account of ts.
func newBumpRight(ts *v1alpha1.TriggerService, app event.Application, owner metav1.OwnerReference) []client.Object {
	service := ts.Namespace + "/" + ts.Name
	full := bumpRolePrefix + ts.Namespace + "-" + ts.Name
	meta := metav1.ObjectMeta{
		Namespace: app.Namespace, Name: name.Append(full, 63, "-"+name.Hash(service, 8)),
		Labels: bumpLabels(), Annotations: map[string]string{serviceAnnotation: service}, OwnerReferences: []metav1.OwnerReference{owner},
	}
	role, binding := newRight(ts, meta, rbacv1.PolicyRule{
		APIGroups: []string{v1beta1.Group}, Resources: []string{"applications"}, ResourceNames: []string{app.Name},
		Verbs: []string{"get", "list", "watch", "patch"},
	})
	return []client.Object{role, binding}
}

// newRight returns a Role with rules, and a RoleBinding of the same name to the account of ts.
func newRight(ts *v1alpha1.TriggerService, meta metav1.ObjectMeta, rules ...rbacv1.PolicyRule) (*rbacv1.Role, *rbacv1.RoleBinding) {
	return &rbacv1.Role{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
			ObjectMeta: meta,
			Rules:      rules,
		}, &rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
			ObjectMeta: *meta.DeepCopy(),
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ts.Namespace, Name: trigger.Account(ts)}},
		}
}

// serviceOf returns the TriggerService whose right o is.
func serviceOf(o client.Object) types.NamespacedName {
	namespace, name, _ := strings.Cut(o.GetAnnotations()[serviceAnnotation], "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}
