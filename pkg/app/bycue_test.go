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
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The filters and actions of the examples that CUE evaluates, with what decides that. All others
// are compiled.
func TestValidate_ByCUE(t *testing.T) {
	configs, err := filepath.Glob("../../examples/*/config.yaml")
	if err != nil || len(configs) < 12 {
		t.Fatalf("%d configurations, %v", len(configs), err)
	}
	var got []string
	for _, config := range configs {
		actions := filepath.Join(filepath.Dir(config), "actions")
		if _, err := os.Stat(actions); err != nil {
			actions = ""
		}
		v, err := Validate(t.Context(), ValidateOptions{Config: config, ActionsDir: actions})
		if err != nil {
			t.Error(err)
		}
		for _, d := range v.ByCUE {
			got = append(got, fmt.Sprintf("%s: %s", filepath.Base(filepath.Dir(config)), d.Message))
		}
	}
	want := []string{}
	if !slices.Equal(got, want) {
		t.Errorf("by CUE:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
