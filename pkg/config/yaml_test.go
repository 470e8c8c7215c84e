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

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
)

// loadText returns the triggers of a file, and its diagnostics without the path.
func loadText(t *testing.T, name, text string) ([]Service, []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	documents, diagnostics := Read(file).Load("default", func(string) string { return "" })
	var problems []string
	for _, d := range diagnostics {
		problems = append(problems, strings.TrimPrefix(d.String(), file+":"))
	}
	return documents.Services, problems
}

// A value of a file is what kubectl makes of the same YAML.
func TestLoad_ValuesAsKubectl(t *testing.T) {
	for value, want := range map[string]string{
		// pulumi/pulumi-kubernetes#501
		"2026-11-24":                `"2026-11-24"`,
		"2026-03-25T13:37:11Z":      `"2026-03-25T13:37:11Z"`,
		"2026-03-25T13:37:11+08:00": `"2026-03-25T13:37:11+08:00"`,
		"!!timestamp 2026-11-24":    `"2026-11-24"`,
		// mikefarah/yq#590, fluxcd/flux2#5490, pascalre/vscode-yaml-sort#24
		"2012-10-17": `"2012-10-17"`, "2024-04-01": `"2024-04-01"`, "2010-09-09": `"2010-09-09"`,
		// helm/helm#8294, docker/docs#21378, kubernetes/kubernetes#34146
		"no": "false", "Yes": "true", "on": "true", "Off": "false", `"no"`: `"no"`, "y": "true",
		// kubernetes-client/csharp#500, kubernetes/kubernetes#33475
		"0777": "511", "0400": "256", "0o644": "420", "0008": "8", `"0644"`: `"0644"`,
		// argoproj/argo-workflows#3990, influxdata/telegraf#9520
		"9007199254740993": "9007199254740993", "18446744073709551615": "18446744073709551615", "-1001234567890123457": "-1001234567890123457",
		"1_000": "1000", "0x1F": "31", "1.10": "1.1", "1e3": "1000", "~": "null", "": "null", `"1.10"`: `"1.10"`,
		"12:30:45": `"12:30:45"`, "{no: 1, 5: x, true: z}": `{"5":"x","false":1,"true":"z"}`,
	} {
		text := "triggers: [{name: a, source: {type: s, properties: {v: " + value + "}}, action: {type: t}}]"
		services, problems := loadText(t, "c.yaml", text)
		if len(services) != 1 || len(problems) > 0 {
			t.Errorf("%s: %v", value, problems)
			continue
		}
		got := string(services[0].Spec.Triggers[0].Source.Properties.Raw)
		if want := `{"v":` + want + `}`; got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
		var kubectl v1alpha1.TriggerServiceSpec
		if err := yaml.Unmarshal([]byte(text), &kubectl); err != nil {
			t.Fatal(err)
		}
		if asKubectl := string(kubectl.Triggers[0].Source.Properties.Raw); got != asKubectl {
			t.Errorf("%s: got %s, kubectl has %s", value, got, asKubectl)
		}
	}
}

// JSON keeps all digits.
func TestLoad_JSONKeepsDigits(t *testing.T) {
	const properties = `{"v":[12345678901234567890123,0.12345678901234567890123,"2026-11-24"]}`
	services, problems := loadText(t, "c.json", `{"triggers": [{"name": "a", "source": {"type": "s", "properties": `+properties+`}, "action": {"type": "t"}}]}`)
	if len(services) != 1 || len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := string(services[0].Spec.Triggers[0].Source.Properties.Raw); got != properties {
		t.Errorf("got %s, want %s", got, properties)
	}
}

// CUE keeps all digits.
func TestLoad_CUEKeepsDigits(t *testing.T) {
	services, problems := loadText(t, "c.cue", `triggers: [{name: "a", source: {type: "s", properties: v: 98765432109876543210}, action: type: "t"}]`)
	if len(services) != 1 || len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := string(services[0].Spec.Triggers[0].Source.Properties.Raw); got != `{"v":98765432109876543210}` {
		t.Errorf("got %s", got)
	}
}

// Anchors, merge keys and several documents; positions are those in the file.
func TestLoad_Documents(t *testing.T) {
	const text = `# a comment
---
triggers:
  - name: a
    source: &s {type: s, properties: &p {x: 1, z: 2}}
    action: {type: t}
--- # the second one
triggers:
  - name: b
    source: {type: s, properties: {<<: {x: 1, z: 2}, z: 3}}
    action: {type: t}
    debounceTime: 1
---
- 1
---
triggers:
  - name: c
    name: d
---
never: read
`
	services, problems := loadText(t, "c.yaml", text)
	if len(services) != 2 || string(services[1].Spec.Triggers[0].Source.Properties.Raw) != `{"x":1,"z":3}` {
		t.Errorf("services %+v", services)
	}
	want := []string{
		"14:1: must be an object, such as one that starts with `triggers:`",
		`18:1: YAML: key "name" already set in map`,
		"12:5: triggers[0].debounceTime: unknown field; did you mean \"debounce\"?",
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
}

// A key that occurs twice is refused, at its place: kubernetes/kubernetes#14791,
// nodeca/js-yaml#345, rancher-archives/rke#3314, go-yaml/yaml#154,
// spring-projects/spring-boot#9186 (two keys that are one value).
func TestLoad_DuplicateKeys(t *testing.T) {
	for _, text := range []string{
		"triggers: []\ntriggers: []",
		"triggers:\n- source: {type: a, properties: {track: prod, track: staging}}",
		"triggers:\n- source: {type: a}\n  source: {type: b}",
		"triggers:\n- source: {type: a, properties: {<<: {b: 1}, b: 2, b: 3}}",
		"triggers:\n- source: {type: a, properties: {\"a\": 1, 'a': 2}}",
		"triggers:\n- source: {type: a, properties: {true: 1, yes: 2}}",
		`{"triggers": [], "triggers": []}`,
	} {
		if _, problems := loadText(t, "c.yaml", text); len(problems) != 1 || !strings.Contains(problems[0], "already ") {
			t.Errorf("%s: %q", text, problems)
		}
	}
}
