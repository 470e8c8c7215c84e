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

package lockdown

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// maxValue is the maximum length of a value in a message, in bytes.
const maxValue = 200

// clusters returns the properties of sources and actions that name joined clusters.
func clusters(ts *v1alpha1.TriggerService) diag.List {
	var list diag.List
	for i, t := range ts.Spec.Triggers {
		trigger := fmt.Sprintf("spec.triggers[%d].", i)
		checkClusters(trigger+"source", t.Source.Properties, &list)
		checkClusters(trigger+"action", t.Action.Properties, &list)
		for j, a := range t.Actions {
			checkClusters(fmt.Sprintf("%sactions[%d]", trigger, j), a.Properties, &list)
		}
	}
	return list
}

// checkClusters checks the properties of the source or action at path. What is not of the
// type that built-in sources and actions have is another error, or has another meaning.
func checkClusters(path string, properties *runtime.RawExtension, list *diag.List) {
	if properties == nil {
		return
	}
	var p map[string]json.RawMessage
	if json.Unmarshal(properties.Raw, &p) != nil {
		return
	}
	refuse := func(name string) {
		list.Add(path+".properties."+name, "joined clusters are not allowed: %s", diag.Truncate(string(p[name]), maxValue))
	}
	var names []string
	if json.Unmarshal(p["clusters"], &names) == nil && slices.ContainsFunc(names, func(n string) bool { return n != multicluster.Local }) {
		refuse("clusters")
	}
	var selector map[string]any
	if json.Unmarshal(p["clusterSelector"], &selector) == nil && selector != nil {
		refuse("clusterSelector")
	}
	var name string
	if json.Unmarshal(p["cluster"], &name) == nil && !multicluster.IsLocal(name) {
		refuse("cluster")
	}
}
