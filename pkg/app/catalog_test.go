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
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/catalog"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestCatalog_Examples: each source and action has a description and an example that is valid.
func TestCatalog_Examples(t *testing.T) {
	entries, err := Catalog(t.Context(), CatalogOptions{}, "")
	if err != nil || len(entries) < 30 {
		t.Fatalf("got %d entries, %v", len(entries), err)
	}
	var triggers []any
	for _, e := range entries {
		if e.Description == "" || e.Example == nil {
			t.Errorf("%s %s: got description %q, example %v", e.Kind, e.Type, e.Description, e.Example)
		}
		for _, p := range e.Parameters {
			if p.Type == "" {
				t.Errorf("%s %s: parameter %s has no type", e.Kind, e.Type, p.Path)
			}
		}
		trigger := map[string]any{
			catalog.Source: map[string]any{"type": "resource-watcher", "properties": map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "default"}},
			catalog.Action: map[string]any{"type": "log"},
		}
		trigger[e.Kind] = e.Example
		triggers = append(triggers, trigger)
	}
	text, err := yaml.Marshal(map[string]any{"triggers": triggers})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := Validate(t.Context(), ValidateOptions{Config: file}); err != nil || v.Triggers != len(entries) {
		t.Errorf("got %d valid triggers, %v", v.Triggers, err)
	}
}

// TestCatalog_Cluster: the actions and the workflow steps of the namespace come before those of
// vela-system, and what cannot be used says why.
func TestCatalog_Cluster(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	e.InstallKubeVelaCRDs(t)
	c, err := client.New(e.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = cluster.Apply(t.Context(), c, fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: vela-system}
---
apiVersion: core.oam.dev/v1alpha1
kind: Definition
metadata: {name: trigger-action-mark, namespace: %[1]s}
spec:
  type: trigger-action
  templates: {main.cue: "// Mark an object.\nparameter: text: string"}
---
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {name: greet, namespace: %[1]s, annotations: {definition.oam.dev/description: Greet.}}
spec: {schematic: {cue: {template: "parameter: {name: string, times: *1 | int}"}}}
---
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {name: greet, namespace: vela-system, annotations: {definition.oam.dev/description: Another one.}}
spec: {schematic: {cue: {template: "parameter: {}"}}}
---
apiVersion: core.oam.dev/v1beta1
kind: WorkflowStepDefinition
metadata: {name: hold, namespace: vela-system}
spec: {schematic: {cue: {template: "import \"vela/op\"\nhold: op.#Suspend & {}\nparameter: {}"}}}
`, e.namespace))
	if err != nil {
		t.Fatal(err)
	}
	o := CatalogOptions{FromCluster: true, Cluster: ClusterOptions{Kubeconfig: e.Kubeconfig}, Namespace: e.namespace}
	all, err := Catalog(t.Context(), o, "")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]catalog.Entry{}
	for _, entry := range all {
		found[entry.Type] = entry
	}
	if got := found["mark"]; got.Description != "Mark an object." || got.Problem != "" || len(got.Parameters) != 1 {
		t.Errorf("the action: got %+v", got)
	}
	if got := found["step/greet"]; got.Description != "Greet." || got.Problem != "" || len(got.Parameters) != 2 || got.Example["type"] != "step/greet" {
		t.Errorf("the step of the namespace: got %+v", got)
	}
	if got := found["step/hold"]; !strings.Contains(got.Problem, "an action cannot be suspended") {
		t.Errorf("the step that is refused: got %+v", got)
	}
	if _, ok := found["log"]; !ok {
		t.Error("the built-in actions are missing")
	}

	o.ActionsDir = writeActions(t, map[string]string{
		"roll-out.cue": waitingStep,
		"greet.yaml":   "apiVersion: core.oam.dev/v1beta1\nkind: WorkflowStepDefinition\nmetadata: {name: greet}\nspec: {schematic: {cue: {template: \"parameter: {}\"}}}\n",
	})
	for name, parameters := range map[string]int{"step/roll-out": 2, "step/greet": 0} {
		one, err := Catalog(t.Context(), o, name)
		if err != nil || len(one) != 1 || len(one[0].Parameters) != parameters {
			t.Errorf("%s of the directory: got %+v, %v", name, one, err)
		}
	}
	if _, err := Catalog(t.Context(), CatalogOptions{}, "step/greet"); err == nil || !strings.HasSuffix(err.Error(), "(--actions-dir) or of a cluster (--cluster)") {
		t.Errorf("without a cluster: got %v", err)
	}
}
