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
	"fmt"
	"maps"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/sandbox"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// actionWarnings returns a warning for each right that an action of ts needs and its
// ServiceAccount lacks, and subtracts its requests from reviews. Rights that depend on the
// event, or are for another cluster, get none.
func (v *validator) actionWarnings(ctx context.Context, ts *v1alpha1.TriggerService, report sandbox.Report, reviews *int) []string {
	var out []string
	seen := map[string]bool{}
	for i, t := range report.Triggers {
		if selectsClusters(ts.Spec.Triggers[i].Source) {
			continue // the default cluster of an action is the event's
		}
		for _, path := range slices.Sorted(maps.Keys(t.Rights)) {
			for _, right := range t.Rights[path] {
				right, known := knownRight(ts, t, right)
				id := fmt.Sprint(right)
				if !known || seen[id] || *reviews < len(right.Verbs) {
					continue
				}
				seen[id] = true
				*reviews -= len(right.Verbs)
				warning, err := v.rightWarning(ctx, ts, right)
				if err != nil {
					ctrl.LoggerFrom(ctx).Info("permissions unknown", "namespace", ts.Namespace, "name", ts.Name, "reason", err.Error())
					return out
				}
				if warning != "" {
					out = append(out, fmt.Sprintf("spec.triggers[%d].%s: %s", i, path, warning))
				}
			}
		}
	}
	return out
}

// knownRight returns right with its namespace, and whether it is known before the event. An action
// without a namespace acts in that of the event's object, or in that of ts.
func knownRight(ts *v1alpha1.TriggerService, t sandbox.TriggerReport, right rights.Right) (rights.Right, bool) {
	if right.Namespace == "" && (t.Watch == nil || t.Watch.Namespace == ts.Namespace) {
		right.Namespace = ts.Namespace
	}
	isTemplate := func(s string) bool { return strings.Contains(s, "{{") }
	known := right.Kind != "" && right.APIVersion != "" && right.Namespace != "" && (right.All || right.Name != "") &&
		!slices.ContainsFunc([]string{right.APIVersion, right.Kind, right.Namespace, right.Name}, isTemplate)
	return right, known && multicluster.IsLocal(right.Cluster)
}

// selectsClusters reports whether a source may send events of other clusters.
func selectsClusters(s v1alpha1.Source) bool {
	var properties map[string]json.RawMessage
	if s.Properties == nil || json.Unmarshal(s.Properties.Raw, &properties) != nil {
		return false
	}
	return properties["clusters"] != nil || properties["clusterSelector"] != nil
}

// rightWarning returns which verbs of right the ServiceAccount of ts lacks, or "". A kind that is
// not installed gets no warning: it may be created before the event.
func (v *validator) rightWarning(ctx context.Context, ts *v1alpha1.TriggerService, right rights.Right) (string, error) {
	kind := schema.FromAPIVersionAndKind(right.APIVersion, right.Kind)
	m, err := v.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	scope, role := "in "+right.Namespace, "Role"
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		right.Namespace, scope, role = "", "in the cluster", "ClusterRole"
	}
	permission := authorizationv1.ResourceAttributes{
		Namespace: right.Namespace, Name: right.Name, Group: m.Resource.Group, Version: m.Resource.Version,
		Resource: m.Resource.Resource, Subresource: right.Subresource,
	}
	if right.All {
		permission.Name = ""
	}
	var missing []string
	for _, permission.Verb = range right.Verbs {
		ok, err := v.allowed(ctx, ts, permission)
		if err != nil {
			return "", err
		}
		if !ok {
			missing = append(missing, permission.Verb)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	resource, object, names := withSubresource(permission.Resource, permission.Subresource), "", ""
	if permission.Name != "" {
		object, names = fmt.Sprintf(" %q", permission.Name), fmt.Sprintf(", resourceNames: [%s]", permission.Name)
	}
	return fmt.Sprintf("serviceaccount %s cannot %s %s%s %s; add to a %s: {apiGroups: [%q], resources: [%s]%s, verbs: [%s]}", trigger.Account(ts),
		strings.Join(missing, " and "), resource, object, scope, role, permission.Group, resource, names, strings.Join(missing, ", ")), nil
}

// withSubresource returns the name of a resource in rules of roles.
func withSubresource(resource, subresource string) string {
	if subresource == "" {
		return resource
	}
	return resource + "/" + subresource
}
