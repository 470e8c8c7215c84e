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

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/workflowstep"
)

// StepDefinition is KubeVela's definition of a workflow step, a CUE file.
type StepDefinition struct {
	Name, File, Source string
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
			d := StepDefinition{Name: strings.TrimSuffix(filepath.Base(file), ".cue"), File: file, Source: string(source)}
			kind := action.TypeOf(d.Name, d.Source)
			if _, ok := workflowstep.Parse(kind); !ok {
				continue // of something else, among the deprecated ones
			}
			template, problems := action.Parse(kind, d.Source)
			if d.Template = template; len(problems) > 0 {
				d.Template, d.Refusal = nil, problems[0].Message
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b StepDefinition) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Manifest returns the WorkflowStepDefinition of d in YAML, as the vela CLI renders it, in
// KubeVela's namespace.
func (d StepDefinition) Manifest(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), d.Name+".yaml")
	if text, err := Offline(t, "def", "render", d.File, "-o", out); err != nil {
		t.Fatalf("vela def render %s: %v\n%s", d.File, err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := yaml.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	(&unstructured.Unstructured{Object: object}).SetNamespace(Namespace)
	if text, err = yaml.Marshal(object); err != nil {
		t.Fatal(err)
	}
	return string(text)
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
