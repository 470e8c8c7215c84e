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

package rights

import (
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Account is the ServiceAccount that gets rights, by Roles of a name.
type Account struct {
	Namespace, Name string
	// Role is the name of the Roles and RoleBindings. Those for all of the cluster begin with
	// the namespace.
	Role string
}

// Roles returns the Roles and ClusterRoles with exactly list, each followed by its binding to
// the account: one for each namespace, and one for rights in all of the cluster. Rights in joined
// clusters are passed over: see InClusters.
func Roles(a Account, list []Right, names Names) []any {
	byNamespace := map[string][]Right{}
	for _, r := range list {
		if r.Cluster != "" {
			continue
		}
		namespace := r.Namespace
		if names.Resource(r.GroupVersionKind()).ClusterScoped {
			namespace = ""
		}
		byNamespace[namespace] = append(byNamespace[namespace], r)
	}
	wide := rules(byNamespace[""], names)
	var out []any
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		scope := rbacv1.SchemeGroupVersion.String()
		subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: a.Namespace, Name: a.Name}}
		if namespace == "" {
			name := a.Namespace + "-" + a.Role
			out = append(out, &rbacv1.ClusterRole{
				TypeMeta: metav1.TypeMeta{APIVersion: scope, Kind: "ClusterRole"}, ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: wide,
			}, &rbacv1.ClusterRoleBinding{
				TypeMeta: metav1.TypeMeta{APIVersion: scope, Kind: "ClusterRoleBinding"}, ObjectMeta: metav1.ObjectMeta{Name: name},
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}, Subjects: subjects,
			})
			continue
		}
		own := rules(uncovered(byNamespace[namespace], byNamespace[""]), names)
		if len(own) == 0 {
			continue
		}
		meta := metav1.ObjectMeta{Namespace: namespace, Name: a.Role}
		out = append(out, &rbacv1.Role{
			TypeMeta: metav1.TypeMeta{APIVersion: scope, Kind: "Role"}, ObjectMeta: meta, Rules: own,
		}, &rbacv1.RoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: scope, Kind: "RoleBinding"}, ObjectMeta: meta,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: a.Role}, Subjects: subjects,
		})
	}
	return out
}

// InClusters returns the rights in joined clusters.
func InClusters(list []Right) []Right {
	return slices.DeleteFunc(slices.Clone(list), func(r Right) bool { return r.Cluster == "" })
}

// unnamed are the verbs that no name of an object limits: the API server does not know it.
func unnamed() []string { return []string{"create", "deletecollection"} }

// Minimal returns list with each verb of an object once, sorted. A right to all objects of a kind
// in a namespace, or in all namespaces, includes that to one of them.
func Minimal(list []Right) []Right {
	single := split(list)
	single = slices.DeleteFunc(single, func(r Right) bool {
		return slices.ContainsFunc(single, func(other Right) bool { return covers(other, r) && !covers(r, other) })
	})
	var out []Right
	for _, r := range single {
		i := slices.IndexFunc(out, func(o Right) bool { return sameObject(o, r) })
		switch {
		case i < 0:
			out = append(out, r)
		case !slices.Contains(out[i].Verbs, r.Verbs[0]):
			out[i].Verbs = append(out[i].Verbs, r.Verbs[0])
		}
	}
	for i := range out {
		slices.SortFunc(out[i].Verbs, compareVerbs)
	}
	slices.SortFunc(out, Right.compare)
	return out
}

// compareVerbs orders verbs as it is usual.
func compareVerbs(a, b string) int {
	order := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	return slices.Index(order, a) - slices.Index(order, b)
}

// split returns a right for each verb, without a name where that limits nothing.
func split(list []Right) []Right {
	var out []Right
	for _, r := range list {
		for _, verb := range r.Verbs {
			one := r
			one.Verbs, one.All = []string{verb}, false
			if r.Subresource == "" && slices.Contains(unnamed(), verb) {
				one.Name = ""
			}
			out = append(out, one)
		}
	}
	return out
}

// covers reports whether a right with one verb includes another one with one verb.
func covers(a, b Right) bool {
	return a.Verbs[0] == b.Verbs[0] && a.Cluster == b.Cluster && a.Subresource == b.Subresource &&
		a.GroupVersionKind().GroupKind() == b.GroupVersionKind().GroupKind() &&
		(a.Name == "" || a.Name == b.Name) && (a.Namespace == "" || a.Namespace == b.Namespace)
}

func sameObject(a, b Right) bool {
	a.Verbs, b.Verbs = nil, nil
	return a.Equal(b)
}

// uncovered returns the rights of list that wide does not include.
func uncovered(list, wide []Right) []Right {
	all := split(wide)
	return slices.DeleteFunc(split(list), func(r Right) bool {
		return slices.ContainsFunc(all, func(w Right) bool { return covers(w, r) })
	})
}

// rules returns the rules with the rights of one namespace.
func rules(list []Right, names Names) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, r := range Minimal(list) {
		kind := r.GroupVersionKind()
		resource := names.Resource(kind).Name
		if r.Subresource != "" {
			resource += "/" + r.Subresource
		}
		rule := rbacv1.PolicyRule{APIGroups: []string{kind.Group}, Resources: []string{resource}, Verbs: r.Verbs}
		if r.Name != "" {
			rule.ResourceNames = []string{r.Name}
		}
		i := slices.IndexFunc(out, func(o rbacv1.PolicyRule) bool {
			return o.APIGroups[0] == kind.Group && o.Resources[0] == resource && slices.Equal(o.Verbs, r.Verbs) && len(o.ResourceNames) > 0 == (r.Name != "")
		})
		if i >= 0 {
			out[i].ResourceNames = append(out[i].ResourceNames, rule.ResourceNames...)
			continue
		}
		out = append(out, rule)
	}
	slices.SortStableFunc(out, func(a, b rbacv1.PolicyRule) int {
		return strings.Compare(a.APIGroups[0]+"/"+a.Resources[0], b.APIGroups[0]+"/"+b.Resources[0])
	})
	return out
}
