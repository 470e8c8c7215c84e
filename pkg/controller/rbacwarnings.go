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
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// maxReviews is the maximum number of permissions of a TriggerService that are checked, each by a
// request.
const maxReviews = 40

// rightWarnings returns a warning for each watch whose kind is not installed, or which
// the ServiceAccount of ts must not list and watch, and for each right that an action
// declares and the account lacks. If a permission check fails, or the limit is reached,
// the remaining ones get no warning.
func (v *validator) rightWarnings(ctx context.Context, ts *v1alpha1.TriggerService, report sandbox.Report) []string {
	reviews := maxReviews
	return append(v.watchWarnings(ctx, ts, report, &reviews), v.actionWarnings(ctx, ts, report, &reviews)...)
}

// watchWarnings returns the warnings for watches, and subtracts its requests from reviews.
func (v *validator) watchWarnings(ctx context.Context, ts *v1alpha1.TriggerService, report sandbox.Report, reviews *int) []string {
	var out []string
	seen := map[source.Watch]bool{}
	for i, t := range report.Triggers {
		if t.Watch == nil || *reviews < 2 {
			continue
		}
		watch := source.Watch{Kind: t.Watch.Kind, Namespace: t.Watch.Namespace} // rights do not depend on selectors
		if seen[watch] {
			continue
		}
		seen[watch] = true
		*reviews -= 2
		warning, err := v.watchWarning(ctx, ts, watch)
		if err != nil {
			ctrl.LoggerFrom(ctx).Info("permissions unknown", "namespace", ts.Namespace, "name", ts.Name, "reason", err.Error())
			return out
		}
		if warning != "" {
			out = append(out, fmt.Sprintf("spec.triggers[%d].source: %s", i, warning))
		}
	}
	return out
}

// watchWarning returns why w cannot be served at the moment, or "".
func (v *validator) watchWarning(ctx context.Context, ts *v1alpha1.TriggerService, w source.Watch) (string, error) {
	m, err := v.mapper.RESTMapping(w.Kind.GroupKind(), w.Kind.Version)
	if meta.IsNoMatchError(err) {
		return fmt.Sprintf("kind %s of %s is not installed; the trigger waits for it", w.Kind.Kind, w.Kind.GroupVersion()), nil
	}
	if err != nil {
		return "", err
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		w.Namespace = ""
	}
	var missing []string
	for _, verb := range []string{"list", "watch"} {
		ok, err := v.allowed(ctx, ts, authorizationv1.ResourceAttributes{
			Namespace: w.Namespace, Verb: verb, Group: m.Resource.Group, Version: m.Resource.Version, Resource: m.Resource.Resource,
		})
		if err != nil {
			return "", err
		}
		if !ok {
			missing = append(missing, verb)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	scope, role := "in all namespaces", "ClusterRole"
	if w.Namespace != "" {
		scope, role = "in "+w.Namespace, "Role"
	}
	return fmt.Sprintf("serviceaccount %s cannot %s %s %s; add to a %s: {apiGroups: [%q], resources: [%s], verbs: [%s]}", trigger.Account(ts),
		strings.Join(missing, " and "), m.Resource.Resource, scope, role, m.Resource.Group, m.Resource.Resource, strings.Join(missing, ", ")), nil
}

// allowed reports whether the ServiceAccount of ts has a permission, or will have it
// once the controller has created the default ServiceAccount.
func (v *validator) allowed(ctx context.Context, ts *v1alpha1.TriggerService, permission authorizationv1.ResourceAttributes) (bool, error) {
	const all = "system:serviceaccounts"
	account := trigger.Account(ts)
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               trigger.UserName(ts.Namespace, account),
		Groups:             []string{all, all + ":" + ts.Namespace, "system:authenticated"},
		ResourceAttributes: &permission,
	}}
	if err := v.client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("review access: %w", err)
	}
	if review.Status.Allowed || account != v1alpha1.DefaultServiceAccount || permission.Namespace != ts.Namespace {
		return review.Status.Allowed, nil
	}
	err := v.reader.Get(ctx, types.NamespacedName{Namespace: ts.Namespace, Name: DefaultRole}, &rbacv1.RoleBinding{})
	if err == nil || client.IgnoreNotFound(err) != nil {
		return false, err
	}
	role := &rbacv1.ClusterRole{}
	if err := v.apiReader.Get(ctx, types.NamespacedName{Name: DefaultRole}, role); err != nil {
		return false, fmt.Errorf("get ClusterRole %q: %w", DefaultRole, err)
	}
	return grants(role.Rules, permission), nil
}

// grants reports whether rules grant a permission for all objects of a resource.
func grants(rules []rbacv1.PolicyRule, permission authorizationv1.ResourceAttributes) bool {
	resource := withSubresource(permission.Resource, permission.Subresource)
	has := func(list []string, s string) bool { return slices.Contains(list, s) || slices.Contains(list, "*") }
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return len(r.ResourceNames) == 0 && has(r.APIGroups, permission.Group) && has(r.Resources, resource) && has(r.Verbs, permission.Verb)
	})
}
