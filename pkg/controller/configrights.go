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
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/name"
	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/source/config"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// configReconciler gives TriggerServices the right to watch the ConfigMaps and Secrets that
// their component refers to: the template of a trait is not told what the traits behind it
// make of the workload.
//
// A TriggerService asks for it by the property ownComponent of a source, and names the
// Application and the component by its labels, which anybody may write. It gets the right
// while the status of the Application, which only KubeVela writes, lists it among what was
// applied, and keeps it during the next deployment. The workloads are those that the status
// lists in the TriggerService's namespace, and that have the labels of the component. They
// are read whenever the Application is deployed.
//
// The right is a Role that names these ConfigMaps and Secrets, and a RoleBinding to the
// TriggerService's account. The TriggerService owns both. What the Role names is what the
// accepted version watches: see withConfig.
//
// Its reader reads Roles and RoleBindings from a cache.
type configReconciler struct{ *reconciler }

// Reconcile implements reconcile.Reconciler for one TriggerService.
func (r configReconciler) Reconcile(ctx context.Context, q ctrl.Request) (ctrl.Result, error) {
	ts := &v1alpha1.TriggerService{}
	if err := r.client.Get(ctx, q.NamespacedName, ts); err != nil || !ts.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	var objects []reference.Reference
	app, err := r.deployedBy(ctx, ts)
	if err == nil && app != nil {
		objects, err = r.objects(ctx, app, ts)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	err = r.grant(ctx, ts, objects)
	if errors.As(err, &conflictError{}) || errors.As(err, &deniedError{}) {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot give the right to watch what the component refers to")
		return ctrl.Result{RequeueAfter: maxRetryDelay}, nil
	}
	return ctrl.Result{}, err
}

// deployedBy returns the Application for whose component ts asks; nil if there is none.
func (r configReconciler) deployedBy(ctx context.Context, ts *v1alpha1.TriggerService) (*unstructured.Unstructured, error) {
	own := ownComponent(ts)
	if own == (event.Application{}) || r.Lockdown.CheckAccount(ts) != "" {
		return nil, nil
	}
	app := newApplication()
	key := types.NamespacedName{Namespace: own.Namespace, Name: own.Name}
	err := r.apiReader.Get(ctx, key, app)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Application %s: %w", key, err)
	}
	return app, nil
}

// objects returns what ts may watch. KubeVela empties the list of what was applied when a
// deployment begins: until one has succeeded, ts keeps what it has.
func (r configReconciler) objects(ctx context.Context, app *unstructured.Unstructured, ts *v1alpha1.TriggerService) (all []reference.Reference, err error) {
	name := client.ObjectKeyFromObject(ts)
	listed := lists(app, name)
	if listed {
		if all, err = r.references(ctx, app, ts); err != nil {
			return nil, err
		}
	}
	if !isDeployed(app) || !listed && !unlists(app, name) {
		kept, err := r.grantedConfig(ctx, ts)
		if err != nil {
			return nil, err
		}
		all = append(all, kept...)
	}
	slices.SortFunc(all, reference.Reference.Compare)
	all = slices.Compact(all)
	return all[:min(len(all), config.MaxObjects)], nil
}

// ownComponent returns the Application and the component whose ConfigMaps and Secrets ts asks
// to watch; the zero value if it asks for none, or is in another cluster.
func ownComponent(ts *v1alpha1.TriggerService) event.Application {
	app := trigger.ApplicationOf(ts)
	asks := slices.ContainsFunc(ts.Spec.Triggers, func(t v1alpha1.Trigger) bool { return asksForComponent(t.Source) })
	if !asks || app.Component == "" || app.Cluster != multicluster.Local {
		return event.Application{}
	}
	return app
}

// references returns what the workloads of the component of ts refer to.
func (r configReconciler) references(ctx context.Context, deployed *unstructured.Unstructured, ts *v1alpha1.TriggerService) ([]reference.Reference, error) {
	var found []reference.Reference
	for _, applied := range appliedResources(deployed) {
		if !multicluster.IsLocal(applied.Cluster) || applied.Namespace != ts.Namespace || !isWorkload(applied.GroupVersionKind().GroupKind()) {
			continue
		}
		o := newObject(applied.GroupVersionKind())
		key := types.NamespacedName{Namespace: ts.Namespace, Name: applied.Name}
		err := r.apiReader.Get(ctx, key, o)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("get %s %s: %w", applied.Kind, key, err)
		}
		if trigger.ApplicationOf(o) == trigger.ApplicationOf(ts) {
			found = append(found, reference.Of(o)...)
		}
	}
	return found, nil
}

// isWorkload reports whether the controller may read the objects of a kind, which have pods.
func isWorkload(k schema.GroupKind) bool {
	switch k.Group {
	case "":
		return k.Kind == "Pod"
	case "apps":
		return k.Kind == "Deployment" || k.Kind == "StatefulSet" || k.Kind == "DaemonSet"
	case "batch":
		return k.Kind == "Job" || k.Kind == "CronJob"
	}
	return false
}

// grant gives ts the right to watch exactly these objects. Without any, it takes the right.
func (r configReconciler) grant(ctx context.Context, ts *v1alpha1.TriggerService, objects []reference.Reference) error {
	role, binding := newConfigRight(ts, objects)
	if len(objects) == 0 {
		return errors.Join(r.delete(ctx, binding, controlledBy(ts)), r.delete(ctx, role, controlledBy(ts)))
	}
	if err := r.apply(ctx, role, &rbacv1.Role{}, controlledBy(ts)); err != nil {
		return err
	}
	return r.apply(ctx, binding, &rbacv1.RoleBinding{}, controlledBy(ts))
}

// configRole returns the name of the Role with the right of a TriggerService, and of its
// RoleBinding.
func configRole(service string) string {
	return name.Append(configRolePrefix+service, 63, "-"+name.Hash(service, 8))
}

// newConfigRight returns the Role to watch objects, and its RoleBinding to the account of ts.
func newConfigRight(ts *v1alpha1.TriggerService, objects []reference.Reference) (*rbacv1.Role, *rbacv1.RoleBinding) {
	meta := metav1.ObjectMeta{
		Namespace: ts.Namespace, Name: configRole(ts.Name), Labels: configLabels(),
		OwnerReferences: []metav1.OwnerReference{ownerReference(ts, true)},
	}
	var rules []rbacv1.PolicyRule
	for _, kind := range configKinds() {
		var names []string
		for _, o := range objects {
			if o.Kind == kind.kind {
				names = append(names, o.Name)
			}
		}
		if len(names) > 0 {
			rules = append(rules, rbacv1.PolicyRule{
				APIGroups: []string{""}, Resources: []string{kind.resource}, ResourceNames: names, Verbs: []string{"get", "list", "watch"},
			})
		}
	}
	return newRight(ts, meta, rules...)
}

// configKind is a kind of objects that components refer to.
type configKind struct{ kind, resource string }

func configKinds() []configKind {
	return []configKind{{reference.ConfigMap, "configmaps"}, {reference.Secret, "secrets"}}
}
