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

package sources

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// problems is the path of the cases. Each file has properties in YAML, a line with ---, and
// the expected diagnostics.
const problems = "testdata/problems.txtar"

// Diagnostics compiles the properties of each case in testdata/problems.txtar, and compares
// the diagnostics with the expected ones, or rewrites these. There must be at least
// minCases cases.
func Diagnostics(t *testing.T, compile func(map[string]any, source.Spec) (source.Subscription, diag.List), minCases int, update bool) {
	t.Helper()
	text, err := os.ReadFile(problems)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	if len(archive.Files) < minCases {
		t.Fatalf("got %d cases", len(archive.Files))
	}
	for i, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			given, want, ok := strings.Cut(string(f.Data), "---\n")
			if !ok {
				t.Fatal("no line with ---")
			}
			var properties map[string]any
			if err := yaml.Unmarshal([]byte(given), &properties); err != nil {
				t.Fatal(err)
			}
			sub, found := compile(properties, source.Spec{TriggerRef: event.TriggerRef{Name: "t", Namespace: "n"}})
			got := "valid"
			if len(found) > 0 {
				got = found.Error()
			} else {
				got += ": " + sub.Key()
			}
			archive.Files[i].Data = []byte(given + "---\n" + got + "\n")
			if diff := cmp.Diff(want, got+"\n"); diff != "" && !update {
				t.Error(diff)
			}
		})
	}
	if update {
		if err := os.WriteFile(problems, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
