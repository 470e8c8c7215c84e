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

package vela

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// StepDefinition is KubeVela's definition of a workflow step, a CUE file.
type StepDefinition struct {
	Name string
	// Template is the step as an action; Refusal says why it cannot be one.
	Template *action.Template
	Refusal  string
}

// StepDefinitions returns the definitions of the workflow steps in the folder that
// KUBEVELA_DEFINITIONS names, else of the KubeVela that the module test/kubevela requires: these
// that it installs, and these that are deprecated.
func StepDefinitions(t *testing.T) []StepDefinition {
	t.Helper()
	folders := []string{os.Getenv("KUBEVELA_DEFINITIONS")}
	if folders[0] == "" {
		m, err := kubeVela(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		templates := filepath.Join(m.Dir, "vela-templates", "definitions")
		folders = []string{filepath.Join(templates, "internal", "workflowstep"), filepath.Join(templates, "deprecated")}
	}
	var all []StepDefinition
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.cue"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no definitions in %s: %v", folder, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := StepDefinition{Name: strings.TrimSuffix(filepath.Base(file), ".cue")}
			kind := action.TypeOf(d.Name, string(source))
			if _, ok := workflowstep.Parse(kind); !ok {
				continue // of something else, among the deprecated ones
			}
			template, problems := action.Parse(kind, string(source))
			if d.Template = template; len(problems) > 0 {
				d.Template, d.Refusal = nil, problems[0].Message
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b StepDefinition) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// TerraformCRDs returns the files with the CRDs of the terraform-controller that KubeVela
// requires.
func TerraformCRDs(t *testing.T) []string {
	t.Helper()
	m, err := download(t.Context(), "kubevela", "github.com/oam-dev/terraform-controller")
	if err != nil {
		t.Fatal(err)
	}
	return files(t, filepath.Join(m.Dir, "chart", "crds"))
}
