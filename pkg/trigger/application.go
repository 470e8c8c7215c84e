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

package trigger

import (
	"cmp"

	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// ApplicationOf returns the Application that ts says it is part of, in its labels. Every
// user who may write ts may write any: they name an Application, and give no right to it.
func ApplicationOf(ts metav1.Object) event.Application {
	labels := ts.GetLabels()
	if labels[oam.LabelAppName] == "" || labels[oam.LabelAppNamespace] == "" {
		return event.Application{}
	}
	return event.Application{
		Name: labels[oam.LabelAppName], Namespace: labels[oam.LabelAppNamespace],
		Component: labels[oam.LabelAppComponent], Cluster: cmp.Or(labels[oam.LabelAppCluster], multicluster.Local),
	}
}

// ApplicationLabels returns the labels of ts that ApplicationOf reads.
func ApplicationLabels(ts metav1.Object) map[string]string {
	var labels map[string]string
	for _, name := range []string{oam.LabelAppName, oam.LabelAppNamespace, oam.LabelAppComponent, oam.LabelAppCluster} {
		if value := ts.GetLabels()[name]; value != "" {
			if labels == nil {
				labels = map[string]string{}
			}
			labels[name] = value
		}
	}
	return labels
}
