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

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/test/reference"
)

var update = flag.Bool("update", false, "write functions.md, metrics.md, sources.md and triggerservice.md in docs/reference")

const root = "../.."

// sourcePackage is the package of a source. Its kind is the constant Type. Its summary is the
// comment at the start of properties.cue.
type sourcePackage struct {
	folder, kind, summary string
}

// sourcePackages returns the packages below pkg/source that have properties.
func sourcePackages(t *testing.T) []sourcePackage {
	t.Helper()
	files, err := filepath.Glob(root + "/pkg/source/*/properties.cue")
	if err != nil || len(files) < 5 {
		t.Fatalf("properties.cue: got %v, %v, want at least 5", files, err)
	}
	var all []sourcePackage
	for _, file := range files {
		p := sourcePackage{folder: filepath.Dir(file)}
		sources, err := filepath.Glob(p.folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		properties, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.summary = action.Description(string(properties))
		for _, source := range sources {
			parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			p.parse(parsed)
		}
		if p.kind == "" || p.summary == "" {
			t.Errorf("%s: got type %q and summary %q, want a constant Type, and a comment at the start of properties.cue", p.folder, p.kind, p.summary)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b sourcePackage) int { return strings.Compare(a.kind, b.kind) })
	return all
}

// parse reads the kind from a file of the package, if it has it.
func (p *sourcePackage) parse(file *ast.File) {
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
			if value, ok := v.Values[0].(*ast.BasicLit); ok {
				p.kind, _ = strconv.Unquote(value.Value)
			}
		}
	}
}

// example returns the properties of the first trigger with the source in the examples or,
// if there is none, in the documents.
func (p *sourcePackage) example(t *testing.T) map[string]any {
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
				if properties := p.properties(text); properties != nil {
					return properties
				}
			}
		}
	}
	t.Errorf("source %q: got no trigger in the examples and documents, want one", p.kind)
	return nil
}

// properties returns the properties of the first trigger with the source in a
// configuration; nil if text is no configuration or has no such trigger.
func (p *sourcePackage) properties(text []byte) map[string]any {
	var config struct {
		Triggers []struct {
			Source struct {
				Type       string         `json:"type"`
				Properties map[string]any `json:"properties"`
			} `json:"source"`
		} `json:"triggers"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil
	}
	for _, trigger := range config.Triggers {
		if trigger.Source.Type == p.kind {
			return trigger.Source.Properties
		}
	}
	return nil
}

// TestSources_UpToDate checks that docs/reference/sources.md is up to date, and that all
// properties of sources have a usage.
func TestSources_UpToDate(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Sources\n\nThe sources, by their `type`. Written by `go test ./test/reference -update` from\npkg/source/*/properties.cue and the examples. [sources.md](../sources.md) and\n[triggers.md](../triggers.md#resource-watcher) say what they promise.\n")
	for _, p := range sourcePackages(t) {
		text, err := os.ReadFile(filepath.Join(p.folder, "properties.cue"))
		if err != nil {
			t.Fatal(err)
		}
		r := reference.OfProperties(t, p.kind, string(text))
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| property | type | default | |\n| --- | --- | --- | --- |\n%s", p.kind, p.summary, strings.Join(r.Rows, ""))
		properties := p.example(t)
		example, err := yaml.Marshal(properties)
		if err != nil {
			t.Fatal(err)
		}
		indented := strings.ReplaceAll(strings.TrimSpace(string(example)), "\n", "\n    ")
		fmt.Fprintf(&b, "\n```yaml\nsource:\n  type: %s\n  properties:\n    %s\n```\n", p.kind, indented)
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
