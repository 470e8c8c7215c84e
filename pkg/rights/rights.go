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

// Package rights describes rights to objects of the API server, and gives them as Roles
// and ClusterRoles.
package rights

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Right is the right to use an object, or all objects of a kind.
type Right struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Name is the name of the object. It is empty for any, and in what an action declares if
	// it depends on the event.
	Name string `json:"name,omitempty"`
	// All is set in what an action declares for a right that concerns no single object.
	All bool `json:"all,omitempty"`
	// Namespace is empty for all namespaces and for kinds without one. In what an action
	// declares it is empty if it depends on the event.
	Namespace string `json:"namespace,omitempty"`
	// Cluster is the joined cluster; empty for the worker's own, and AnyCluster for all that
	// the trigger selects.
	Cluster     string   `json:"cluster,omitempty"`
	Subresource string   `json:"subresource,omitempty"`
	Verbs       []string `json:"verbs"`
}

// AnyCluster stands for the clusters that a trigger selects. It is not a valid cluster name.
const AnyCluster = "*"

// Of returns a right to the objects of a kind.
func Of(kind schema.GroupVersionKind, verbs ...string) Right {
	return Right{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Verbs: verbs}
}

// GroupVersionKind returns the kind of the objects.
func (r Right) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(r.APIVersion, r.Kind)
}

// Equal reports whether r and other are the same right.
func (r Right) Equal(other Right) bool { return r.compare(other) == 0 }

// compare orders rights, by their verbs last.
func (r Right) compare(other Right) int {
	return cmp.Or(
		strings.Compare(r.Cluster, other.Cluster), strings.Compare(r.Namespace, other.Namespace),
		strings.Compare(r.APIVersion, other.APIVersion), strings.Compare(r.Kind, other.Kind),
		strings.Compare(r.Subresource, other.Subresource), strings.Compare(r.Name, other.Name),
		slices.Compare(r.Verbs, other.Verbs),
	)
}

// Text returns the right in the form `list, watch deployments.apps in namespace prod`. The
// names of resources are those of the zero Names.
func (r Right) Text() string {
	resource := Names{}.Resource(r.GroupVersionKind())
	text := strings.Join(r.Verbs, ", ") + " " + resource.Name
	if r.Subresource != "" {
		text += "/" + r.Subresource
	}
	if group := r.GroupVersionKind().Group; group != "" {
		text += "." + group
	}
	if r.Name != "" {
		text += " " + r.Name
	}
	switch {
	case resource.ClusterScoped:
	case r.Namespace == "":
		text += " in all namespaces"
	default:
		text += " in namespace " + r.Namespace
	}
	switch r.Cluster {
	case "":
	case AnyCluster:
		text += " of each cluster that is selected"
	default:
		text += " of cluster " + r.Cluster
	}
	return text
}
