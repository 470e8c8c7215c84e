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

package action_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/action"
)

// TestAction_ContextFields has the fields that computed properties name, so that sources keep those
// of `context.old`.
func TestAction_ContextFields(t *testing.T) {
	template, problems := action.Parse("test", "parameter: text: string")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	computed, problems := action.ParseComputed("text: context.old.data.a")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	a, problems := template.Compile(action.Options{Computed: computed})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	data := map[string]any{"data": map[string]any{"a": "1", "b": "2"}}
	want := map[string]any{"data": map[string]any{"a": "1"}}
	if diff := cmp.Diff(want, a.ContextFields().Under("old").Select(data)); diff != "" {
		t.Error(diff)
	}
}

// TestTemplate_RightsWithoutParameter: a template may declare rights, and no properties.
func TestTemplate_RightsWithoutParameter(t *testing.T) {
	template, problems := action.Parse("test", `rights: [{apiVersion: "v1", kind: "Pod", verbs: ["get"]}]`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := template.Rights(nil); len(got) != 1 || got[0].Kind != "Pod" {
		t.Errorf("got %v", got)
	}
}
