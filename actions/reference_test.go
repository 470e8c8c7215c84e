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

package actions_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/actions"
	"github.com/kubevela/kube-trigger/test/reference"
)

// example is a trigger of examples/actions/config.yaml.
type example struct {
	Name   string `json:"name"`
	Action struct {
		Type       string         `json:"type"`
		Properties map[string]any `json:"properties"`
	} `json:"action"`
}

func examples(t *testing.T) map[string]example {
	t.Helper()
	text, err := os.ReadFile("../examples/actions/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Triggers []example `json:"triggers"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	found := map[string]example{}
	for _, e := range config.Triggers {
		found[e.Name] = e
	}
	return found
}

// actionNames returns the built-in actions.
func actionNames(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(actions.FS, "*.cue")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".cue")
	}
	slices.Sort(files)
	return files
}

// TestExamplesAct runs the example of each action, whose calls all succeed.
func TestExamplesAct(t *testing.T) {
	found := examples(t)
	for _, name := range actionNames(t) {
		e, ok := found[name]
		if !ok || e.Action.Type != name {
			t.Errorf("examples/actions has no trigger %q of that action", name)
			continue
		}
		calls := run(t, name, encode(t, e.Action.Properties), []byte(exampleEvent), nil)["calls"]
		if calls == "" {
			t.Errorf("the example of %s does nothing", name)
		}
		delete(found, name)
	}
	if len(found) > 0 {
		t.Errorf("examples of no action: %v", found)
	}
}

const exampleEvent = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop, uid: "1", labels: {trigger.oam.dev/application: web}}
data: {version: v2}
`

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReference holds docs/reference/actions.md to the templates, and the templates
// to describing every property.
func TestReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Actions\n\nThe built-in actions, by their `type`. Written by `go test ./actions -update` from actions/*.cue\nand [examples/actions/config.yaml](../../examples/actions/config.yaml).\n")
	found := examples(t)
	for _, name := range actionNames(t) {
		source, err := fs.ReadFile(actions.FS, name+".cue")
		if err != nil {
			t.Fatal(err)
		}
		r := reference.OfAction(t, name, string(source))
		if r.Summary == "" {
			t.Errorf("%s.cue does not begin with a comment that says what it does", name)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", name, r.Summary)
		if len(r.Rows) > 0 {
			b.WriteString("\n| property | type | default | |\n| --- | --- | --- | --- |\n" + strings.Join(r.Rows, ""))
		}
		if len(r.Results) > 0 {
			b.WriteString("\nIts result:\n\n| field | |\n| --- | --- |\n" + strings.Join(r.Results, ""))
		}
		fmt.Fprintf(&b, "\n```yaml\naction:\n  type: %s\n", name)
		if properties := found[name].Action.Properties; len(properties) > 0 {
			text := strings.TrimSuffix(string(encode(t, properties)), "\n")
			b.WriteString("  properties:\n    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n")
		}
		b.WriteString("```\n")
	}
	file := filepath.FromSlash("../docs/reference/actions.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != b.String() {
		t.Errorf("%s is not up to date; run go test ./actions -update (%v)", file, err)
	}
}
