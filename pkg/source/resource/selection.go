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

// clusterSelection is the clusters that a trigger asks for. The zero one is the worker's
// own.
type clusterSelection struct {
	// names are names, clusters.Local among them.
	names []string
	// labels selects joined clusters; nil selects none.
	labels labels.Selector
}

// clusterProperties are the properties that make a selection.
type clusterProperties struct {
	Clusters        []string              `json:"clusters"`
	ClusterSelector *metav1.LabelSelector `json:"clusterSelector"`
}

// selection checks the properties.
func (p clusterProperties) selection(problems *diag.List) clusterSelection {
	var s clusterSelection
	for i, name := range p.Clusters {
		if reason := multicluster.CheckName(name); reason != "" {
			problems.Add(field.NewPath("clusters").Index(i).String(), "%q is not the name of a cluster: %s", name, reason)
		}
		if !slices.Contains(s.names, name) {
			s.names = append(s.names, name)
		}
	}
	if p.ClusterSelector != nil {
		s.labels = labelSelector("clusterSelector", nil, p.ClusterSelector, problems)
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

// matches reports whether a joined cluster is selected.
func (s clusterSelection) matches(c multicluster.Cluster) bool {
	return s.hasName(c.Name) || s.labels != nil && s.labels.Matches(c.Labels)
}

// mayMatchEvent reports whether events may be of the cluster that they name, as far as
// that can be told by its name.
func (s clusterSelection) mayMatchEvent(cluster string) bool {
	if s.labels != nil {
		return cluster != "" || s.hasName(multicluster.Local)
	}
	if cluster == "" {
		return len(s.names) == 0 || s.hasName(multicluster.Local)
	}
	return s.hasName(cluster)
}
