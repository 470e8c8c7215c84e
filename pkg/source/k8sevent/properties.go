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

package k8sevent

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/fields"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/schema"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// parse checks properties and returns the request. Its Properties are nil if the
// diagnostics leave the objects undetermined. Selection is left to the API server where
// field selectors can express it.
func parse(s schema.Lazy, given map[string]any) (resource.Request, diag.List) {
	var p struct {
		Reason    []string `json:"reason"`
		Type      string   `json:"type"`
		Namespace string   `json:"namespace"`
		Regarding struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Name       string `json:"name"`
		} `json:"regarding"`
		Repeat string `json:"repeat"`
	}
	if diags := s.Decode(given, &p); len(diags) > 0 {
		return resource.Request{}, diags
	}
	var diags diag.List
	if v := p.Regarding.APIVersion; v != "" {
		if gv, err := runtimeschema.ParseGroupVersion(v); err != nil || gv.Version == "" {
			diags.Add("regarding.apiVersion", `must be "version" or "group/version", such as "v1" or "apps/v1", not %q`, v)
		}
	}
	for i, reason := range p.Reason {
		if reason == "" {
			diags.Add(fmt.Sprintf("reason[%d]", i), `is empty; must be a reason such as "BackOff"`)
		}
	}
	selected := fields.Set{}
	for name, value := range map[string]string{
		"type": p.Type, "regarding.apiVersion": p.Regarding.APIVersion,
		"regarding.kind": p.Regarding.Kind, "regarding.name": p.Regarding.Name,
	} {
		if value != "" {
			selected[name] = value
		}
	}
	if len(p.Reason) == 1 {
		selected["reason"] = p.Reason[0]
	}
	objects := map[string]any{
		"apiVersion": "events.k8s.io/v1", "kind": "Event", "namespace": p.Namespace,
		"fieldSelector": selected.AsSelector().String(),
	}
	for _, name := range []string{"clusters", "clusterSelector"} {
		if value, ok := given[name]; ok {
			objects[name] = value
		}
	}
	req := resource.Request{
		Properties: objects,
		Events:     []string{event.Create},
		Filter: func(ev event.Event) bool {
			reason, _ := ev.Data["reason"].(string)
			return len(p.Reason) == 0 || slices.Contains(p.Reason, reason)
		},
	}
	if p.Repeat == "every" {
		req.Events = append(req.Events, event.Update)
	}
	return req, diags
}
