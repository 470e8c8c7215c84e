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
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const developmentPage = "docs/development.md"

// importsOf returns the paths that the files of a folder of pkg import, without tests.
func importsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "pkg", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			out[path] = true
		}
	}
	return out
}

// TestDevelopment_Imports compares the arrows of the picture of the packages with the imports.
func TestDevelopment_Imports(t *testing.T) {
	node := regexp.MustCompile(`(\w+)\[([\w/]+)\]`)
	edge := regexp.MustCompile(`(\w+)(?:\[[\w/]+\])? --> (\w+)`)
	edges := 0
	for _, b := range codeBlocks(t, developmentPage) {
		if b.language != "mermaid" || !strings.Contains(b.text, "%% imports") {
			continue
		}
		folders := map[string]string{}
		for _, m := range node.FindAllStringSubmatch(b.text, -1) {
			folders[m[1]] = m[2]
		}
		for _, m := range edge.FindAllStringSubmatch(b.text, -1) {
			edges++
			from, to := folders[m[1]], folders[m[2]]
			if !importsOf(t, from)["github.com/kubevela/kube-trigger/pkg/"+to] {
				t.Errorf("%s: got an arrow from %q to %q, want an import", b.file, from, to)
			}
		}
	}
	if edges < 20 {
		t.Errorf("%s: got %d arrows, want at least 20", developmentPage, edges)
	}
}

// TestDevelopment_Complete checks that the page names each folder of pkg and test, and no others.
func TestDevelopment_Complete(t *testing.T) {
	text := read(t, developmentPage)
	for _, parent := range []string{"pkg", "test"} {
		folders, err := os.ReadDir(filepath.Join(root, parent))
		if err != nil || len(folders) < 10 {
			t.Fatalf("%s: got %d folders, %v, want at least 10", parent, len(folders), err)
		}
		for _, f := range folders {
			files, err := filepath.Glob(filepath.Join(root, parent, f.Name(), "*"))
			if err != nil {
				t.Fatal(err)
			}
			if name := parent + "/" + f.Name(); len(files) > 0 && f.IsDir() && !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s: lacks the folder %s", developmentPage, name)
			}
		}
	}
	for _, m := range regexp.MustCompile("`((?:pkg|test)/[\\w/]+)`").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("%s: %v", developmentPage, err)
		}
	}
}
