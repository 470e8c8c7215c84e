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

	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/rights"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// declaredRights returns the rights that the actions of a valid trigger declare, by the path of
// the action.
func declaredRights(t v1alpha1.Trigger, templates map[string]trigger.Template) map[string][]rights.Right {
	out := map[string][]rights.Right{}
	add := func(path, typ, computed string, raw *runtime.RawExtension) {
		properties := map[string]any{}
		if templates[typ] == nil || computed != "" || raw != nil && utiljson.Unmarshal(raw.Raw, &properties) != nil {
			return
		}
		if template, problems := templates[typ](); len(problems) == 0 {
			out[path] = template.Rights(properties)
		}
	}
	add("action", t.Action.Type, t.Action.Cue, t.Action.Properties)
	for i, a := range t.Actions {
		add(fmt.Sprintf("actions[%d]", i), a.Type, a.Cue, a.Properties)
	}
	return out
}
