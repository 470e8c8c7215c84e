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
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/test/program"
)

const testingPage = "docs/testing.md"

// TestTesting_Commands runs the commands of docs/testing.md with its triggers and its tests,
// and compares the output that the page shows.
func TestTesting_Commands(t *testing.T) {
	dir := t.TempDir()
	binary, err := program.Build(t.Context(), dir, program.RaceEnabled())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: prod, labels: {app: web}}, data: {color: %}}"
	write("before.yaml", strings.Replace(object, "%", "blue", 1))
	write("after.yaml", strings.Replace(object, "%", "green", 1))
	write("deployment.yaml", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: prod}, spec: {template: {spec: {}}}}")
	commands := 0
	for _, b := range codeBlocks(t, testingPage) {
		switch {
		case b.language == "sh":
			for _, line := range lines(b.text) {
				out := shell(t, dir, strings.Replace(line, "kube-trigger", binary, 1))
				if !strings.Contains(out, "passed") {
					t.Errorf("%s: got %s", line, out)
				}
				commands++
			}
		case isTests(b.text):
			write("settings_test.yaml", b.text)
		default:
			write("settings.yaml", b.text)
		}
	}
	if commands < 2 {
		t.Errorf("got %d commands, want at least 2", commands)
	}
	page, err := os.ReadFile(filepath.Join(root, testingPage))
	if err != nil {
		t.Fatal(err)
	}
	got := shell(t, dir, binary+" eval -f settings.yaml --trigger restart --event after.yaml --old before.yaml --objects deployment.yaml")
	_, shown, _ := strings.Cut(string(page), "    kube-trigger eval -f settings.yaml")
	for _, line := range lines(strings.Split(shown, "…")[0])[1:] {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(got, line) {
			t.Errorf("the page shows %q, and eval prints\n%s", line, got)
		}
	}
}

// isTests reports whether a block has tests of triggers.
func isTests(text string) bool { return strings.Contains(text, "\ntests:\n") }
