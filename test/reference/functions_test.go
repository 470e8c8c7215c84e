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
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/test/reference"
)

// forWorkflows are the functions that control the steps of a workflow.
var forWorkflows = []string{"#Break", "#DoVar", "#Suspend"}

// TestFunctions checks that docs/reference/functions.md is up to date, and that each
// function has an example that is a valid template and calls it.
func TestFunctions(t *testing.T) {
	examples, err := txtar.ParseFile("testdata/functions.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Functions\n\nThe functions that [templates of actions](../actions.md#writing-actions) call, by package. Written by\n" +
		"`go test ./test/reference -update` from the packages and test/reference/testdata/functions.txtar.\n" +
		"`vela/query` is another name of `vela/ql`. Functions of `vela/op` have no `$params`: their results are fields beside the parameters.\n")
	packages := provider.Packages()
	for _, importPath := range slices.Sorted(maps.Keys(packages)) {
		if importPath == "vela/query" {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", importPath)
		for _, f := range reference.Functions(t, importPath, packages[importPath].Source()) {
			name := importPath + "." + f.Name
			i := slices.IndexFunc(examples.Files, func(e txtar.File) bool { return e.Name == name })
			fmt.Fprintf(&b, "\n### %s\n", path.Base(name))
			if slices.Contains(forWorkflows, f.Name) {
				b.WriteString("\nFor the steps of workflows, not for actions.\n")
				continue
			}
			if rendersApplication(importPath, f.Name) {
				b.WriteString("\nFor the workflows of Applications, not for actions.\n")
				continue
			}
			if i < 0 {
				t.Errorf("testdata/functions.txtar: got no example of %s, want one", name)
				continue
			}
			example := string(examples.Files[i].Data)
			examples.Files = slices.Delete(examples.Files, i, i+1)
			checkExample(t, importPath, f.Name, example)
			writeFunction(&b, f, example)
		}
	}
	for _, e := range examples.Files {
		t.Errorf("testdata/functions.txtar: example of the unknown function %s", e.Name)
	}
	file := root + "/docs/reference/functions.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != b.String() {
		t.Errorf("%s is not up to date; run go test ./test/reference -update (%v)", file, err)
	}
}

// rendersApplication reports whether a function is refused since it needs the rendering of an
// Application.
func rendersApplication(importPath, function string) bool {
	_, diags := action.Parse(importPath+function, fmt.Sprintf("import %q\n\ncall: %s%s", importPath, path.Base(importPath), "."+function))
	return strings.Contains(diags.Error(), "an action cannot render an Application")
}

// checkExample checks that an example is a valid template that calls a function.
func checkExample(t *testing.T, importPath, function, example string) {
	t.Helper()
	if call := path.Base(importPath) + "." + function; !strings.Contains(example, call+" & {") {
		t.Errorf("example of %s: does not call it", call)
	}
	template, diags := action.Parse(importPath+function, fmt.Sprintf("import %q\n\n%s", importPath, example))
	if len(diags) == 0 {
		_, diags = template.Compile(action.Options{Executor: provider.New(provider.Options{})})
	}
	if len(diags) > 0 {
		t.Errorf("example of %s.%s: %v", importPath, function, diags)
	}
}

func writeFunction(b *strings.Builder, f reference.Function, example string) {
	first, code, _ := strings.Cut(example, "\n")
	usage, isComment := strings.CutPrefix(first, "// ")
	if !isComment {
		code = example
	}
	if f.Usage != "" {
		usage = f.Usage
	}
	if usage != "" {
		fmt.Fprintf(b, "\n%s.\n", strings.TrimSuffix(usage, "."))
	}
	if f.Base != "" {
		fmt.Fprintf(b, "\nThe same as `%s`.\n", f.Base)
	}
	const head = "| --- | --- | --- | --- |\n"
	if len(f.Parameters) > 0 {
		b.WriteString("\n| parameter | type | default | |\n" + head + strings.Join(f.Parameters, ""))
	}
	if len(f.Returns) > 0 {
		b.WriteString("\n| result | type | | |\n" + head + strings.ReplaceAll(strings.Join(f.Returns, ""), " | required | ", " |  | "))
	}
	fmt.Fprintf(b, "\n```cue\n%s```\n", code)
}
