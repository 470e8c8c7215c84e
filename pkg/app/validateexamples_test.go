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

package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/config"
)

// TestValidate_Examples checks each file of the examples by itself, with the actions beside it.
func TestValidate_Examples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d examples, %v", len(files), err)
	}
	files = slices.DeleteFunc(files, config.IsTest)
	// These have no triggers: objects for the others, and Applications.
	without := []string{
		"bump-application/objects.yaml", "bump-on-change/application.yaml", "bump-on-change/edited.yaml", "bump-on-change/objects.yaml", "from-workflow/application.yaml",
		"restart-on-change/application.yaml", "trigger-service/application.yaml", "trigger-service/objects.yaml", "trigger-trait/application.yaml",
	}
	for _, file := range files {
		if config.IsTest(file) {
			continue
		}
		name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			actions := filepath.Join(filepath.Dir(file), "actions")
			if _, err := os.Stat(actions); err != nil {
				actions = ""
			}
			if name == "custom-action/trigger.yaml" { // its action is a file of its own
				file = filepath.Dir(file)
			}
			v, err := Validate(t.Context(), ValidateOptions{Config: file, ActionsDir: actions})
			if err != nil {
				t.Fatal(err)
			}
			if got := v.Triggers+v.Definitions == 0; got != slices.Contains(without, name) || got && len(v.Others) == 0 {
				t.Errorf("got %d triggers, %d actions and %v", v.Triggers, v.Definitions, v.Others)
			}
			if len(v.Warnings) > 0 {
				t.Errorf("got %v", v.Warnings)
			}
		})
	}
}
