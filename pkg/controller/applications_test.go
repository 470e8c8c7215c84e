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

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/common"
)

// TestComponentsOf reads the status of versions of KubeVela that are newer than the types, and
// skips only what has another form.
func TestComponentsOf(t *testing.T) {
	app := newApplication()
	app.Object["status"] = map[string]any{
		"workflow": map[string]any{"status": "succeeded", "steps": "of another form"},
		"services": []any{
			"of another form",
			map[string]any{"name": map[string]any{"of": "another form"}},
			map[string]any{
				"name": "web", "cluster": "berlin", "healthy": true, "details": map[string]any{"replicas": "3/3"},
				"traits": []any{map[string]any{"type": bumpTrait, "healthy": true, "pending": false, "details": map[string]any{"a": "b"}}},
			},
		},
	}
	var got []common.ApplicationComponentStatus
	for object, c := range componentsOf(app) {
		if object["details"] == nil {
			t.Errorf("component as it is: %v", object)
		}
		got = append(got, c)
	}
	want := []common.ApplicationComponentStatus{{
		Name: "web", Cluster: "berlin", Healthy: true, Traits: []common.ApplicationTraitStatus{{Type: bumpTrait, Healthy: true}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !isDeployed(app) {
		t.Error("not deployed")
	}
}
