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
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// Warnings returns what is valid in ts, but has no effect, with its path.
func Warnings(ts *v1alpha1.TriggerService) []string {
	var list []string
	for i, t := range ts.Spec.Triggers {
		path := fmt.Sprintf("spec.triggers[%d]", i)
		if isEmptyPatch(t.Action.Type, t.Action.Properties) {
			list = append(list, path+".action.properties.patch"+emptyPatch)
		}
		for j, s := range t.Actions {
			if isEmptyPatch(s.Type, s.Properties) {
				list = append(list, fmt.Sprintf("%s.actions[%d].properties.patch%s", path, j, emptyPatch))
			}
		}
	}
	return list
}

// EmptyFilters returns a warning for each filter that is in the JSON of a TriggerService and
// has no text. It is what `kubectl` makes of the YAML `filter: !context.data.paused`.
func EmptyFilters(object []byte) []string {
	var ts struct {
		Spec struct {
			Triggers []struct {
				Filter *string `json:"filter"`
			} `json:"triggers"`
		} `json:"spec"`
	}
	if json.Unmarshal(object, &ts) != nil {
		return nil // reported as a problem
	}
	var list []string
	for i, t := range ts.Spec.Triggers {
		if t.Filter != nil && *t.Filter == "" {
			list = append(list, fmt.Sprintf("spec.triggers[%d].filter: is empty and matches every event; in YAML, a text that begins with ! needs quotes", i))
		}
	}
	return list
}

const emptyPatch = ": is empty and changes nothing; `kubectl apply` drops null from data: list the fields to remove in patch.remove"

// isEmptyPatch reports whether an action is patch-resource with a patch that has nothing but
// empty objects, and removes nothing.
func isEmptyPatch(actionType string, properties *runtime.RawExtension) bool {
	if actionType != "patch-resource" || properties == nil {
		return false
	}
	var p struct {
		Patch *struct {
			Data   any   `json:"data"`
			Remove []any `json:"remove"`
		} `json:"patch"`
	}
	if json.Unmarshal(properties.Raw, &p) != nil || p.Patch == nil {
		return false // reported as a problem
	}
	return len(p.Patch.Remove) == 0 && isEmpty(p.Patch.Data)
}

// isEmpty reports whether a patch has no values but empty objects. A null is a value: it
// removes a field.
func isEmpty(data any) bool {
	switch data := data.(type) {
	case nil:
		return true
	case map[string]any:
		for _, v := range data {
			if v == nil || !isEmpty(v) {
				return false
			}
		}
		return true
	case []any:
		return len(data) == 0
	}
	return false
}
