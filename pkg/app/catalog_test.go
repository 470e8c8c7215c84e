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
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/catalog"
)

// TestCatalog_Examples: each source and action has a description and an example that is valid.
func TestCatalog_Examples(t *testing.T) {
	entries, err := Catalog(t.Context(), "", "")
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
