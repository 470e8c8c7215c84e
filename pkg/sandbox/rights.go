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

package sandbox

import (
	"fmt"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/dataflow"
	"github.com/kubevela/kube-trigger/pkg/rights"
)

// actionRights returns the rights that the actions of a trigger need, by the path of the action.
func actionRights(f dataflow.Flow) map[string][]rights.Right {
	byPath := map[string][]rights.Right{}
	for _, u := range f.Uses {
		byPath[u.Path] = append(byPath[u.Path], u.Right)
	}
	for path, list := range byPath {
		list = rights.Minimal(list)
		for i := range list {
			list[i].All = list[i].Name == "" && !slices.ContainsFunc(list[i].Verbs, concernsOne)
		}
		byPath[path] = list
	}
	return byPath
}

// concernsOne reports whether a verb concerns an object that has a name.
func concernsOne(verb string) bool {
	return !slices.Contains([]string{"create", "list", "watch", "deletecollection"}, verb)
}

// addCycles adds a warning for each circle of triggers that none of them allows.
func addCycles(reports []TriggerReport, flows []dataflow.Flow) {
	for _, c := range dataflow.New(flows).Cycles {
		i := slices.IndexFunc(flows, func(f dataflow.Flow) bool { return f.Trigger.String() == c.Triggers[0] })
		if !c.Allowed {
			reports[i].Warnings.Add(fmt.Sprintf("spec.triggers[%d]", i), "%s", c.Text())
		}
	}
}
