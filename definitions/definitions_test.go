//go:build kubevela

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

package definitions_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubevela/kube-trigger/test/vela"
)

var update = flag.Bool("update", false, "write what vela says into the golden files")

func TestVet(t *testing.T) {
	for _, file := range append(glob(t, "*.cue"), glob(t, "../addon/definitions/*.cue")...) {
		if out, err := vela.Offline(t, "def", "vet", file); err != nil {
			t.Errorf("vela def vet %s: %v\n%s", file, err, out)
		}
	}
}

// TestDryRun renders the Applications of testdata, in which "want" is what vela
// says.
func TestDryRun(t *testing.T) {
	known := t.TempDir()
	for _, file := range append(glob(t, "*.cue"), vela.Definitions(t, "component/webservice.cue", "component/cron-task.cue", "component/k8s-objects.cue", "trait/storage.cue")...) {
		write(t, filepath.Join(known, filepath.Base(file)), read(t, file))
	}
	for _, file := range glob(t, "testdata/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			golden := txtar.Parse([]byte(read(t, file)))
			if len(golden.Files) != 2 || golden.Files[0].Name != "app.yaml" || golden.Files[1].Name != "want" {
				t.Fatal("not app.yaml and want")
			}
			app := filepath.Join(t.TempDir(), "app.yaml")
			write(t, app, string(golden.Files[0].Data))
			got, _ := vela.Offline(t, "dry-run", "--offline", "-d", known, "-f", app)
			got = strings.TrimSpace(strings.ReplaceAll(got, app, "app.yaml")) + "\n"
			if *update {
				golden.Files[1].Data = []byte(got)
				write(t, file, string(txtar.Format(golden)))
				return
			}
			if want := string(golden.Files[1].Data); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestDryRun_AnyRights renders the Application whose rights the trait refuses with the form
// of the trait that allows any.
func TestDryRun_AnyRights(t *testing.T) {
	known := t.TempDir()
	for _, file := range append(vela.Definitions(t, "component/webservice.cue"), "../addon/definitions/trigger-any-rights.cue") {
		write(t, filepath.Join(known, filepath.Base(file)), read(t, file))
	}
	app := filepath.Join(t.TempDir(), "app.yaml")
	write(t, app, string(txtar.Parse([]byte(read(t, "testdata/trigger-rights.txtar"))).Files[0].Data))
	got, err := vela.Offline(t, "dry-run", "--offline", "-d", known, "-f", app)
	const wildcard = `
- apiGroups:
  - '*'
  resources:
  - '*'
  verbs:
  - '*'
`
	if err != nil || !strings.Contains(got, wildcard) || !strings.Contains(got, "- impersonate\n") {
		t.Errorf("got %v:\n%s", err, got)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("there is no %s", pattern)
	}
	return files
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
