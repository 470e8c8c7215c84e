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

package docs

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// TestExamples_OwnActions checks that the Definitions and the TriggerService of service.yaml
// are the own actions and the configuration of the same example.
func TestExamples_OwnActions(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(root, "examples/*/actions"))
	if err != nil || len(folders) < 5 {
		t.Fatalf("examples with own actions: got %v, %v, want at least 5", folders, err)
	}
	for _, folder := range folders {
		example := filepath.Dir(folder)
		t.Run(filepath.Base(example), func(t *testing.T) {
			definitions, triggers := readService(t, filepath.Join(example, "service.yaml"))
			files, err := filepath.Glob(filepath.Join(folder, "*.cue"))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				want["trigger-action-"+strings.TrimSuffix(filepath.Base(file), ".cue")] = string(text)
			}
			if names := slices.Sorted(maps.Keys(definitions)); !maps.Equal(definitions, want) {
				t.Errorf("service.yaml: got Definitions %v, want those of actions/*.cue, with the same templates", names)
			}
			text, err := os.ReadFile(filepath.Join(example, "config.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var config struct{ Triggers []any }
			if err := sigsyaml.Unmarshal(text, &config); err != nil {
				t.Fatal(err)
			}
			if len(triggers) == 0 || !reflect.DeepEqual(triggers, config.Triggers) {
				t.Errorf("service.yaml: got triggers %v, want those of config.yaml %v", triggers, config.Triggers)
			}
		})
	}
}

// TestExamples_Index checks that examples/README.md links each example once.
func TestExamples_Index(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples/*/README.md"))
	if err != nil || len(files) < 20 {
		t.Fatalf("examples: got %v, %v, want at least 20", files, err)
	}
	index := read(t, "examples/README.md")
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		if n := strings.Count(index, "["+name+"]("+name+"/README.md)"); n != 1 {
			t.Errorf("examples/README.md: got %d links to %s, want 1", n, name)
		}
	}
}

// readService returns the templates of the Definitions in a file, by name, and the triggers of
// its TriggerService.
func readService(t *testing.T, file string) (definitions map[string]string, triggers []any) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	definitions = map[string]string{}
	for decoder := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		var o struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     struct {
				Templates map[string]string
				Triggers  []any
			}
		}
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return definitions, triggers
		}
		if err != nil {
			t.Fatal(err)
		}
		switch o.Kind {
		case "Definition":
			definitions[o.Metadata.Name] = o.Spec.Templates["main.cue"]
		case "TriggerService":
			triggers = append(triggers, o.Spec.Triggers...)
		}
	}
}
