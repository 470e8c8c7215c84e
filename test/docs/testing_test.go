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
	"regexp"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/test/program"
)

const testingPage = "docs/testing.md"

// TestTesting_Commands runs the commands of docs/testing.md with its objects, triggers and tests,
// and compares the output that the page shows of eval.
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
	page, err := os.ReadFile(filepath.Join(root, testingPage))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ {4}# (\w+\.yaml)\n {4}(.*)$`).FindAllStringSubmatch(string(page), -1) {
		write(m[1], m[2])
	}
	var commands []string
	for _, b := range codeBlocks(t, testingPage) {
		switch {
		case b.language == "sh":
			commands = append(commands, lines(b.text)...)
		case isTests(b.text):
			write("settings_test.yaml", b.text)
		default:
			write("settings.yaml", b.text)
		}
	}
	evals := 0
	for _, line := range commands {
		out := shell(t, dir, strings.Replace(line, "kube-trigger", binary, 1))
		switch {
		case strings.HasPrefix(line, "kube-trigger eval"):
			evals++
			_, shown, _ := strings.Cut(string(page), line+"\n```\n")
			shown, _, _ = strings.Cut(shown, "…")
			if !strings.Contains(shown, "\n    trigger ") {
				t.Errorf("%s: the page shows no output", line)
			}
			for _, want := range lines(shown) {
				if want = strings.TrimSpace(want); !strings.Contains(out, want) {
					t.Errorf("%s: the page shows %q, got\n%s", line, want, out)
				}
			}
		case strings.HasPrefix(line, "kube-trigger init"):
		case !strings.Contains(out, "passed"):
			t.Errorf("%s: got %s", line, out)
		}
	}
	if len(commands) < 6 || evals < 2 {
		t.Errorf("got commands %q, want at least 6, and 2 of them eval", commands)
	}
}

// isTests reports whether a block has tests of triggers.
func isTests(text string) bool { return strings.Contains(text, "\ntests:\n") }
