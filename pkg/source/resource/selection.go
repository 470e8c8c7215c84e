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

// selection is the clusters that a trigger asks for. The zero one is the worker's
// own.
type selection struct {
	// listed are names, clusters.Local among them.
	listed []string
	// labels selects joined clusters; nil selects none.
	labels labels.Selector
}

// placesAsked are the properties that make a selection.
type placesAsked struct {
	Clusters        []string              `json:"clusters"`
	ClusterSelector *metav1.LabelSelector `json:"clusterSelector"`
}

// selected checks the properties.
func (p placesAsked) selected(problems *diag.List) selection {
	var s selection
	for i, name := range p.Clusters {
		if wrong := multicluster.CheckName(name); wrong != "" {
			problems.Add(field.NewPath("clusters").Index(i).String(), "%q is not the name of a cluster: %s", name, wrong)
		}
		if !slices.Contains(s.listed, name) {
			s.listed = append(s.listed, name)
		}
	}
	if p.ClusterSelector != nil {
		s.labels = labelSelector("clusterSelector", nil, p.ClusterSelector, problems)
	}
	if s.isOwn() {
		return selection{}
	}
	return s
}

// isOwn reports whether only the worker's own cluster is selected.
func (s selection) isOwn() bool {
	return s.labels == nil && !slices.ContainsFunc(s.listed, func(name string) bool { return name != multicluster.Local })
}

// names reports whether a cluster is selected by its name.
func (s selection) names(cluster string) bool { return slices.Contains(s.listed, cluster) }

// has reports whether a joined cluster is selected.
func (s selection) has(c multicluster.Cluster) bool {
	return s.names(c.Name) || s.labels != nil && s.labels.Matches(c.Labels)
}

// mayHave reports whether events may be of the cluster that they name, as far as
// that can be told by its name.
func (s selection) mayHave(cluster string) bool {
	if s.labels != nil {
		return cluster != "" || s.names(multicluster.Local)
	}
	if cluster == "" {
		return len(s.listed) == 0 || s.names(multicluster.Local)
	}
	return s.names(cluster)
}
