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

// casesFile is a txtar archive of cases. Each case has properties in YAML, a line with ---,
// and the expected diagnostics, or "valid" and the key of the subscription.
const casesFile = "testdata/problems.txtar"

// Diagnostics compiles the properties of each case in testdata/problems.txtar, and compares
// the diagnostics with the expected ones. If update is set, it writes the diagnostics to the
// file instead. There must be at least minCases cases.
func Diagnostics(t *testing.T, compile func(map[string]any, source.Spec) (source.Subscription, diag.List), minCases int, update bool) {
	t.Helper()
	text, err := os.ReadFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	if len(archive.Files) < minCases {
		t.Fatalf("%s: got %d cases, want at least %d", casesFile, len(archive.Files), minCases)
	}
	for i, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			input, want, ok := strings.Cut(string(f.Data), "---\n")
			if !ok {
				t.Fatal("got no line with ---, want one")
			}
			var properties map[string]any
			if err := yaml.Unmarshal([]byte(input), &properties); err != nil {
				t.Fatal(err)
			}
			sub, diagnostics := compile(properties, source.Spec{TriggerRef: event.TriggerRef{Name: "t", Namespace: "n"}})
			got := "valid"
			if len(diagnostics) > 0 {
				got = diagnostics.Error()
			} else {
				got += ": " + sub.Key()
			}
			archive.Files[i].Data = []byte(input + "---\n" + got + "\n")
			if diff := cmp.Diff(want, got+"\n"); diff != "" && !update {
				t.Error(diff)
			}
		})
	}
	if update {
		if err := os.WriteFile(casesFile, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
