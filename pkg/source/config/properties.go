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

package config

import (
	"fmt"

	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// MaxObjects is the maximum number of objects of a trigger: each has a watch.
const MaxObjects = 100

// parsed are the properties of a trigger.
type parsed struct {
	// Objects are in the namespace of the trigger.
	Objects []reference.Reference `json:"objects"`
	// OwnComponent asks the controller to add the objects that the TriggerService's component
	// refers to.
	OwnComponent bool     `json:"ownComponent"`
	Events       []string `json:"events"`
}

func parse(s schema.Lazy, given map[string]any, t source.Spec) (p parsed, list diag.List) {
	if list = s.Decode(given, &p); len(list) > 0 {
		return p, list
	}
	if given["objects"] == nil && !p.OwnComponent {
		list.Add("objects", `is required without ownComponent; an element is such as {kind: ConfigMap, name: settings}`)
	}
	if len(p.Objects) > MaxObjects {
		list.Add("objects", "must have at most %d elements, not %d", MaxObjects, len(p.Objects))
	}
	for i, o := range p.Objects {
		if reasons := validation.IsDNS1123Subdomain(o.Name); len(reasons) > 0 {
			list.Add(fmt.Sprintf("objects[%d].name", i), "invalid name %q: %s", o.Name, reasons[0])
		}
	}
	if p.OwnComponent && t.Application.Component == "" {
		list.Add("ownComponent", "the TriggerService is not part of a component: KubeVela has not set its labels %s, %s and %s", oam.LabelAppName, oam.LabelAppNamespace, oam.LabelAppComponent)
	}
	return p, list
}
