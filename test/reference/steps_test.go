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

package reference_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/action"
)

// stepDefinitions returns the files of the definitions of KubeVela's workflow steps: in the
// folder that KUBEVELA_DEFINITIONS names, else of the version that test/kubevela requires.
func stepDefinitions(t *testing.T) []string {
	t.Helper()
	folder := os.Getenv("KUBEVELA_DEFINITIONS")
	if folder == "" {
		cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "github.com/oam-dev/kubevela")
		cmd.Dir, cmd.Env = filepath.FromSlash(root+"/test/kubevela"), append(os.Environ(), "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("download KubeVela's module: %v", err)
		}
		var module struct{ Dir string }
		if err := json.Unmarshal(out, &module); err != nil {
			t.Fatal(err)
		}
		folder = filepath.Join(module.Dir, "vela-templates", "definitions", "internal", "workflowstep")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.cue"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions in %s: %v", folder, err)
	}
	return files
}

const (
	stepsBegin = "<!-- The table is written by `go test ./test/reference -update`. -->\n"
	stepsEnd   = "<!-- end of the table -->\n"
)

// TestSteps checks that the table of KubeVela's steps in docs/steps.md is up to date. With
// KUBEVELA_DEFINITIONS it prints the table.
func TestSteps(t *testing.T) {
	var table strings.Builder
	table.WriteString("\n| step | | |\n| --- | --- | --- |\n")
	accepted := 0
	for _, file := range stepDefinitions(t) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".cue")
		_, problems := action.Parse(action.TypeOf(name, string(source)), string(source))
		verdict, reason := "accepted", ""
		if len(problems) > 0 {
			verdict, reason = "refused", problems[0].Message
		} else {
			accepted++
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, verdict, reason)
	}
	table.WriteString("\n")
	if os.Getenv("KUBEVELA_DEFINITIONS") != "" {
		t.Logf("%d accepted:\n%s", accepted, table.String())
		return
	}
	if accepted < 21 {
		t.Errorf("%d steps are accepted, want at least 21", accepted)
	}
	file := filepath.FromSlash(root + "/docs/steps.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), stepsBegin)
	_, after, ended := strings.Cut(rest, stepsEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + stepsBegin + table.String() + stepsEnd + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("%s is not up to date; run go test ./test/reference -update", file)
	}
}
