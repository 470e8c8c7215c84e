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

package trigger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// TestWarnings_EmptyPatch: a patch that has only empty objects is warned about: kubectl apply
// leaves such ones of a patch that has null.
func TestWarnings_EmptyPatch(t *testing.T) {
	for properties, want := range map[string]bool{
		`{"patch":{"data":{}}}`:                                      true,
		`{"patch":{"data":{"metadata":{"annotations":{}}}}}`:         true,
		`{"patch":{"type":"json","data":[]}}`:                        true,
		`{"patch":{}}`:                                               true,
		`{"patch":{"data":{"metadata":{"annotations":{"a":null}}}}}`: false,
		`{"patch":{"data":{"spec":{"paused":false}}}}`:               false,
		`{"patch":{"data":{"data":{"a":""}}}}`:                       false,
		`{"patch":{"remove":["metadata.labels.tier"]}}`:              false,
		`{"patch":{"data":{},"remove":["metadata.labels.tier"]}}`:    false,
		`{"patch":"x"}`: false,
		`{}`:            false,
	} {
		raw := &runtime.RawExtension{Raw: []byte(properties)}
		ts := &v1alpha1.TriggerService{Spec: v1alpha1.TriggerServiceSpec{Triggers: []v1alpha1.Trigger{
			{Action: v1alpha1.Action{Type: "patch-resource", Properties: raw}},
			{Actions: []v1alpha1.ActionStep{{Type: "log", Properties: raw}, {Type: "patch-resource", Properties: raw}}},
			{Action: v1alpha1.Action{Type: "patch-resource"}},
		}}}
		var paths []string
		if want {
			const text = ": is empty and changes nothing; `kubectl apply` drops null from data: list the fields to remove in patch.remove"
			paths = []string{"spec.triggers[0].action.properties.patch" + text, "spec.triggers[1].actions[1].properties.patch" + text}
		}
		if diff := cmp.Diff(paths, trigger.Warnings(ts)); diff != "" {
			t.Errorf("%s: %s", properties, diff)
		}
	}
}

// TestEmptyFilters: a filter that has lost its text in YAML is warned about:
// data-cleaning/validate#56, github/docs#27497.
func TestEmptyFilters(t *testing.T) {
	const manifest = "spec:\n  triggers:\n  - name: a\n    filter: !context.data.paused\n  - {name: b, filter: '!context.data.paused'}\n  - {name: c}\n  - {name: d, filter: \"\"}\n"
	object, err := yaml.YAMLToJSON([]byte(manifest)) // as kubectl does
	if err != nil {
		t.Fatal(err)
	}
	const text = ".filter: is empty and matches every event; in YAML, a text that begins with ! needs quotes"
	if diff := cmp.Diff([]string{"spec.triggers[0]" + text, "spec.triggers[3]" + text}, trigger.EmptyFilters(object)); diff != "" {
		t.Error(diff)
	}
}
