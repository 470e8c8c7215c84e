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

package clusterevent_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/clusterevent"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

var update = flag.Bool("update", false, "write what is said into testdata/problems.txtar")

// TestProblems compiles the properties of each file of testdata/problems.txtar,
// and finds what stands below its line.
func TestProblems(t *testing.T) {
	text, err := os.ReadFile("testdata/problems.txtar")
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	if len(archive.Files) < 8 {
		t.Fatalf("%d cases", len(archive.Files))
	}
	for i, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			given, want, ok := strings.Cut(string(f.Data), "---\n")
			if !ok {
				t.Fatal("no --- before what is wanted")
			}
			var properties map[string]any
			if err := yaml.Unmarshal([]byte(given), &properties); err != nil {
				t.Fatal(err)
			}
			sub, problems := clusterevent.New(resource.Options{})(properties, source.Trigger{Trigger: event.Trigger{Name: "t", Namespace: "n"}})
			got := "valid"
			if len(problems) > 0 {
				got = problems.Error()
			} else {
				got += ": " + sub.Key()
			}
			archive.Files[i].Data = []byte(given + "---\n" + got + "\n")
			if diff := cmp.Diff(want, got+"\n"); diff != "" && !*update {
				t.Error(diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile("testdata/problems.txtar", txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
