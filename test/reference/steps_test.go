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
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/test/vela"
)

const (
	stepsBegin = "<!-- The table is written by `go test ./test/reference -update`. -->\n"
	stepsEnd   = "<!-- end of the table -->\n"
)

// TestSteps checks that the table of KubeVela's steps in docs/steps.md is up to date, and that
// test/vela runs each step that is an action. With KUBEVELA_DEFINITIONS it prints the table.
func TestSteps(t *testing.T) {
	var table strings.Builder
	table.WriteString("\n| step | result | comparison with a workflow, or reason |\n| --- | --- | --- |\n")
	works := 0
	for _, d := range vela.StepDefinitions(t) {
		verdict, why := "works", strings.Join(comparisons(d.Name), "; ")
		switch {
		case d.Template == nil:
			verdict, why = "rejected", d.Refusal
		case why == "":
			verdict, why = "accepted", "no test runs it"
			if os.Getenv("KUBEVELA_DEFINITIONS") == "" {
				t.Errorf("vela.StepCases has no case of %s, which is accepted", d.Name)
			}
		default:
			works++
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", d.Name, verdict, why)
	}
	table.WriteString("\n")
	if os.Getenv("KUBEVELA_DEFINITIONS") != "" {
		t.Logf("%d work:\n%s", works, table.String())
		return
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

// comparisons returns how tests compare a step with a workflow.
func comparisons(step string) []string {
	var all []string
	for _, c := range vela.StepCases() {
		if c.Step == step && !slices.Contains(all, c.Comparison()) {
			all = append(all, c.Comparison())
		}
	}
	return all
}
