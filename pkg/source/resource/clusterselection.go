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

package resource

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// clusterSelection selects the clusters of a trigger. The zero value selects the worker's
// own cluster.
type clusterSelection struct {
	// names are names of clusters, which may include multicluster.Local.
	names []string
	// labels selects joined clusters; nil selects none.
	labels labels.Selector
}

// clusterProperties are the properties that select clusters.
type clusterProperties struct {
	Clusters        []string              `json:"clusters"`
	ClusterSelector *metav1.LabelSelector `json:"clusterSelector"`
}

// selection validates the properties, and returns the selection.
func (p clusterProperties) selection(list *diag.List) clusterSelection {
	var s clusterSelection
	for i, name := range p.Clusters {
		if reason := multicluster.CheckName(name); reason != "" {
			list.Add(field.NewPath("clusters").Index(i).String(), "invalid cluster name %q: %s", name, reason)
		}
		if !slices.Contains(s.names, name) {
			s.names = append(s.names, name)
		}
	}
	if p.ClusterSelector != nil {
		s.labels = labelSelector("clusterSelector", nil, p.ClusterSelector, list)
	}
	if s.isOwnCluster() {
		return clusterSelection{}
	}
	return s
}

// isOwnCluster reports whether only the worker's own cluster is selected.
func (s clusterSelection) isOwnCluster() bool {
	return s.labels == nil && !slices.ContainsFunc(s.names, func(name string) bool { return name != multicluster.Local })
}

// hasName reports whether a cluster is selected by its name.
func (s clusterSelection) hasName(cluster string) bool { return slices.Contains(s.names, cluster) }

// joined returns the joined clusters that are selected by name.
func (s clusterSelection) joined() []string {
	return slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return name == multicluster.Local })
}

// matches reports whether a cluster is selected. The hub is selected only by name, never
// by label.
func (s clusterSelection) matches(c multicluster.Cluster) bool {
	if c.Name == multicluster.Local {
		return s.isOwnCluster() || s.hasName(c.Name)
	}
	return s.hasName(c.Name) || s.labels != nil && s.labels.Matches(c.Labels)
}

// mayMatchEvent reports whether an event of this cluster may be selected. With a label
// selector it returns true for every joined cluster.
func (s clusterSelection) mayMatchEvent(cluster string) bool {
	if s.labels != nil {
		return cluster != "" || s.hasName(multicluster.Local)
	}
	if cluster == "" {
		return len(s.names) == 0 || s.hasName(multicluster.Local)
	}
	return s.hasName(cluster)
}
