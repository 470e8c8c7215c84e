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

package workflowstep

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
)

func TestParse(t *testing.T) {
	for actionType, want := range map[string]Step{
		"step/notification":        {Name: "notification"},
		"step/notification@v2":     {Name: "notification", Version: "v2"},
		"step/notification@v1.2.3": {Name: "notification", Version: "v1.2.3"},
	} {
		got, ok := Parse(actionType)
		if !ok || got != want || got.String() != actionType {
			t.Errorf("Parse(%q) = %+v, %t, want %+v", actionType, got, ok, want)
		}
	}
	if got, ok := Parse("notify"); ok {
		t.Errorf("Parse of an action: %+v", got)
	}
	if name := (Step{Name: "notification", Version: "v2"}).ObjectName(); name != "notification-v2" {
		t.Errorf("object name %q", name)
	}
}

func TestFind(t *testing.T) {
	definition := func(name, template string) map[string]any {
		return map[string]any{
			"kind": v1beta1.WorkflowStepDefinitionKind, "metadata": map[string]any{"name": name},
			"spec": map[string]any{"schematic": map[string]any{"cue": map[string]any{"template": template}}},
		}
	}
	revision := func(name, field string) map[string]any {
		return map[string]any{
			"kind": v1beta1.DefinitionRevisionKind, "metadata": map[string]any{"name": name},
			"spec": map[string]any{field: definition("notification", "a: 1")},
		}
	}
	for _, c := range []struct {
		name   string
		object map[string]any
		want   Definition
		found  bool
	}{
		{"definition", definition("notification", "a: 1"), Definition{Step{"notification", ""}, "a: 1", templatePath}, true},
		{"without a template", map[string]any{"kind": v1beta1.WorkflowStepDefinitionKind, "metadata": map[string]any{"name": "x"}}, Definition{Step{"x", ""}, "", templatePath}, true},
		{"revision", revision("notification-v2", "workflowStepDefinition"), Definition{Step{"notification", "v2"}, "a: 1", revisionPath}, true},
		{"revision of a trait", revision("notification-v2", "traitDefinition"), Definition{}, false},
		{"revision with another name", revision("other-v2", "workflowStepDefinition"), Definition{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, found := Find(c.object)
			if diff := cmp.Diff(c.want, got); diff != "" || found != c.found {
				t.Errorf("found %t: %s", found, diff)
			}
			small := map[string]any{"kind": c.object["kind"], "metadata": c.object["metadata"]}
			if err := got.SetIn(small); err != nil {
				t.Fatal(err)
			}
			if again, found := Find(small); again != got || found != c.found {
				t.Errorf("from what SetIn sets: found %t, %+v", found, again)
			}
		})
	}
}
