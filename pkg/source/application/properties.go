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

package application

import (
	"slices"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"k8s.io/apimachinery/pkg/fields"
	names "k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// Changes of an Application, as named in the property events and in the event's data.
const (
	phaseChanged       = "phaseChanged"
	workflowFinished   = "workflowFinished"
	workflowFailed     = "workflowFailed"
	revisionMade       = "revisionMade"
	componentUnhealthy = "componentUnhealthy"
	componentHealthy   = "componentHealthy"
)

// selector selects the events of one trigger.
type selector struct {
	events, phases, components []string
}

// matches reports whether an event has one of the selected changes.
func (s selector) matches(ev event.Event) bool {
	changes, _ := ev.Data["changes"].(map[string]any)
	for _, name := range s.events {
		change, ok := changes[name]
		components, isComponents := change.([]any)
		if ok && (!isComponents || s.matchesComponent(components)) {
			return true
		}
	}
	change, _ := changes[phaseChanged].(map[string]any)
	phase, _ := change["to"].(string)
	return slices.Contains(s.phases, phase)
}

func (s selector) matchesComponent(components []any) bool {
	return len(s.components) == 0 || slices.ContainsFunc(components, func(c any) bool {
		component, _ := c.(map[string]any)
		name, _ := component["name"].(string)
		return slices.Contains(s.components, name)
	})
}

// parse checks the properties that are not passed to package resource, and returns the
// request.
func parse(s schema.Lazy, given map[string]any) (resource.Request, diag.List) {
	var p struct {
		Events     []string `json:"events"`
		Phase      []string `json:"phase"`
		Components []string `json:"components"`
		Namespace  string   `json:"namespace"`
		Name       string   `json:"name"`
	}
	if diags := s.Decode(given, &p); len(diags) > 0 {
		return resource.Request{}, diags
	}
	var diags diag.List
	if len(p.Events) == 0 && len(p.Phase) == 0 {
		diags.Add("", "no events are selected; set events or phase")
	}
	if len(p.Components) > 0 && !slices.Contains(p.Events, componentUnhealthy) && !slices.Contains(p.Events, componentHealthy) {
		diags.Add("components", "has no effect: events contains neither %s nor %s", componentUnhealthy, componentHealthy)
	}
	objects := map[string]any{"apiVersion": v1beta1.SchemeGroupVersion.String(), "kind": v1beta1.ApplicationKind, "namespace": p.Namespace}
	if p.Name != "" {
		if reasons := names.IsDNS1123Subdomain(p.Name); len(reasons) > 0 {
			diags.Add("name", "invalid name %q: %s", p.Name, reasons[0])
		}
		objects["fieldSelector"] = fields.OneTermEqualSelector("metadata.name", p.Name).String()
	}
	for _, name := range []string{"ownApplication", "matchingLabels", "labelSelector", "clusters", "clusterSelector"} {
		if value, ok := given[name]; ok {
			objects[name] = value
		}
	}
	return resource.Request{
		Properties: objects,
		Events:     []string{event.Create, event.Update},
		Filter:     selector{p.Events, p.Phase, p.Components}.matches,
	}, diags
}
