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
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/test/reference"
)

var update = flag.Bool("update", false, "write docs/reference/sources.md")

const root = "../.."

// sourcePackage is the package of a source.
type sourcePackage struct {
	folder, kind, summary string
}

// sourcePackages returns the packages below pkg/source that have properties.
func sourcePackages(t *testing.T) []sourcePackage {
	t.Helper()
	files, err := filepath.Glob(root + "/pkg/source/*/properties.cue")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	var all []sourcePackage
	for _, file := range files {
		e := sourcePackage{folder: filepath.Dir(file)}
		sources, err := filepath.Glob(e.folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			e.read(parsed)
		}
		if e.kind == "" || e.summary == "" {
			t.Errorf("%s: has no constant Type, or no comment that says what \"Package … is the source …: it …\" does", e.folder)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b sourcePackage) int { return strings.Compare(a.kind, b.kind) })
	return all
}

// read reads the documentation of the source from a file of the package.
func (e *sourcePackage) read(file *ast.File) {
	if first, _, _ := strings.Cut(file.Doc.Text(), "\n\n"); strings.HasPrefix(first, "Package ") {
		if _, does, found := strings.Cut(strings.Join(strings.Fields(first), " "), ": it "); found {
			e.summary = strings.ToUpper(does[:1]) + does[1:]
		}
	}
	for _, d := range file.Decls {
		constants, ok := d.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for _, s := range constants.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok || v.Names[0].Name != "Type" || len(v.Values) == 0 {
				continue
			}
			if word, ok := v.Values[0].(*ast.BasicLit); ok {
				e.kind, _ = strconv.Unquote(word.Value)
			}
		}
	}
}

// example returns the properties of the first trigger with the source in the examples or,
// if there is none, in the documents.
func (e *sourcePackage) example(t *testing.T) map[string]any {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	for _, pattern := range []string{"/examples/*/config.yaml", "/docs/*.md"} {
		files, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts := [][]byte{text}
			if filepath.Ext(file) == ".md" {
				texts = nil
				for _, m := range fence.FindAllSubmatch(text, -1) {
					texts = append(texts, m[1])
				}
			}
			for _, text := range texts {
				if p := e.within(t, text); p != nil {
					return p
				}
			}
		}
	}
	t.Errorf("no trigger with the source %q in the examples and documents", e.kind)
	return nil
}

func (e *sourcePackage) within(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var config struct {
		Triggers []struct {
			Source struct {
				Type       string         `json:"type"`
				Properties map[string]any `json:"properties"`
			} `json:"source"`
		} `json:"triggers"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil // not a configuration
	}
	for _, trigger := range config.Triggers {
		if trigger.Source.Type == e.kind {
			return trigger.Source.Properties
		}
	}
	return nil
}

// TestSources checks that docs/reference/sources.md is up to date, and that all properties
// of sources are described.
func TestSources(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Sources\n\nThe sources, by their `type`. Written by `go test ./test/reference -update` from\npkg/source/*/properties.cue and the examples. [sources.md](../sources.md) and\n[triggers.md](../triggers.md#resource-watcher) say what they promise.\n")
	for _, e := range sourcePackages(t) {
		text, err := os.ReadFile(filepath.Join(e.folder, "properties.cue"))
		if err != nil {
			t.Fatal(err)
		}
		r := reference.OfProperties(t, e.kind, string(text))
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| property | type | default | |\n| --- | --- | --- | --- |\n%s", e.kind, e.summary, strings.Join(r.Rows, ""))
		properties := e.example(t)
		example, err := yaml.Marshal(properties)
		if err != nil {
			t.Fatal(err)
		}
		indented := strings.ReplaceAll(strings.TrimSpace(string(example)), "\n", "\n    ")
		fmt.Fprintf(&b, "\n```yaml\nsource:\n  type: %s\n  properties:\n    %s\n```\n", e.kind, indented)
	}
	file := filepath.FromSlash(root + "/docs/reference/sources.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != b.String() {
		t.Errorf("%s is not up to date; run go test ./test/reference -update (%v)", file, err)
	}
}
