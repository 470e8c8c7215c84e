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

package actions_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/actions"
)

// exemplary is a trigger of examples/actions/config.yaml.
type exemplary struct {
	Name   string `json:"name"`
	Action struct {
		Type       string         `json:"type"`
		Properties map[string]any `json:"properties"`
	} `json:"action"`
}

func examples(t *testing.T) map[string]exemplary {
	t.Helper()
	text, err := os.ReadFile("../examples/actions/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Triggers []exemplary `json:"triggers"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	found := map[string]exemplary{}
	for _, e := range config.Triggers {
		found[e.Name] = e
	}
	return found
}

// names returns the built-in actions.
func names(t *testing.T) []string {
	t.Helper()
	files, err := fs.Glob(actions.FS, "*.cue")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".cue")
	}
	slices.Sort(files)
	return files
}

// TestExamplesAct runs the example of each action, whose calls all succeed.
func TestExamplesAct(t *testing.T) {
	found := examples(t)
	for _, name := range names(t) {
		e, ok := found[name]
		if !ok || e.Action.Type != name {
			t.Errorf("examples/actions has no trigger %q of that action", name)
			continue
		}
		calls := run(t, name, encode(t, e.Action.Properties), []byte(exampleEvent), nil)["calls"]
		if calls == "" {
			t.Errorf("the example of %s does nothing", name)
		}
		delete(found, name)
	}
	if len(found) > 0 {
		t.Errorf("examples of no action: %v", found)
	}
}

const exampleEvent = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop, uid: "1", labels: {trigger.oam.dev/application: web}}
data: {version: v2}
`

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReference holds docs/reference/actions.md to the templates, and the templates
// to describing every property.
func TestReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Actions\n\nThe built-in actions, by their `type`. Written by `go test ./actions -update` from actions/*.cue\nand [examples/actions/config.yaml](../../examples/actions/config.yaml).\n")
	found := examples(t)
	for _, name := range names(t) {
		source, err := fs.ReadFile(actions.FS, name+".cue")
		if err != nil {
			t.Fatal(err)
		}
		r := newReference(t, name, string(source))
		if r.summary == "" {
			t.Errorf("%s.cue does not begin with a comment that says what it does", name)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", name, r.summary)
		if len(r.rows) > 0 {
			b.WriteString("\n| property | type | default | |\n| --- | --- | --- | --- |\n" + strings.Join(r.rows, ""))
		}
		fmt.Fprintf(&b, "\n```yaml\naction:\n  type: %s\n", name)
		if properties := found[name].Action.Properties; len(properties) > 0 {
			text := strings.TrimSuffix(string(encode(t, properties)), "\n")
			b.WriteString("  properties:\n    " + strings.ReplaceAll(text, "\n", "\n    ") + "\n")
		}
		b.WriteString("```\n")
	}
	file := filepath.FromSlash("../docs/reference/actions.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != b.String() {
		t.Errorf("%s is not up to date; run go test ./actions -update (%v)", file, err)
	}
}

// reference is what a template says of itself.
type reference struct {
	t             *testing.T
	name, summary string
	definitions   map[string]ast.Expr
	rows          []string
}

func newReference(t *testing.T, name, source string) *reference {
	t.Helper()
	file, err := parser.ParseFile(name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{t: t, name: name, definitions: map[string]ast.Expr{}}
	for _, line := range strings.Split(source, "\n") {
		text, isComment := strings.CutPrefix(line, "// ")
		if !isComment {
			break
		}
		r.summary = strings.TrimSpace(r.summary + " " + text)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			label, _, _ := ast.LabelName(f.Label)
			r.definitions[label] = f.Value
		}
	}
	r.fields("", r.definitions["parameter"], false)
	return r
}

// fields writes a row for each field of v.
func (r *reference) fields(path string, v ast.Expr, described bool) {
	switch v := v.(type) {
	case *ast.StructLit:
		for _, d := range v.Elts {
			if f, ok := d.(*ast.Field); ok {
				r.field(path, f, described)
			}
		}
	case *ast.ListLit:
		for _, e := range v.Elts {
			if rest, ok := e.(*ast.Ellipsis); ok {
				r.fields(path+"[]", rest.Type, false)
			}
		}
	case *ast.BinaryExpr:
		r.fields(path, v.X, false)
		r.fields(path, v.Y, false)
	case *ast.UnaryExpr:
		r.fields(path, v.X, false)
	case *ast.Ident:
		if d := r.definitions[v.Name]; d != nil {
			r.fields(r.alternative(path, d), d, false)
		}
	}
}

// alternative returns the path of v among others of a list, which its type tells
// apart: "to[slack]" instead of "to[]".
func (r *reference) alternative(path string, v ast.Expr) string {
	list, isList := strings.CutSuffix(path, "[]")
	s, isStruct := v.(*ast.StructLit)
	if !isList || !isStruct {
		return path
	}
	for _, d := range s.Elts {
		if f, ok := d.(*ast.Field); ok {
			label, _, _ := ast.LabelName(f.Label)
			if word, ok := f.Value.(*ast.BasicLit); ok && label == "type" {
				return list + "[" + strings.Trim(word.Value, `"`) + "]"
			}
		}
	}
	return path
}

func (r *reference) field(path string, f *ast.Field, described bool) {
	label, _, err := ast.LabelName(f.Label)
	if err != nil { // [string]: …
		r.fields(path+".*", f.Value, false)
		return
	}
	at := strings.TrimPrefix(path+"."+label, ".")
	usage := usageOf(f)
	// `url: secretRef: {…}` and `metadata: {…}` of their own say nothing that is not
	// said of what they are in, or hold.
	nested, isStruct := f.Value.(*ast.StructLit)
	if usage == "" && !described && !(isStruct && len(nested.Elts) > 0) {
		r.t.Errorf("%s.cue: %s has no +usage", r.name, at)
	}
	if usage != "" {
		kind, fallback := r.kind(f.Value)
		if fallback == "" && f.Constraint != token.OPTION && kind != "object" && !strings.HasPrefix(kind, "map") {
			fallback = "required"
		}
		if f.Constraint == token.NOT {
			fallback = "required"
		}
		r.rows = append(r.rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", at, escape(kind), escape(fallback), escape(usage)))
	}
	r.fields(at, f.Value, isStruct && len(nested.Elts) == 1)
}

func usageOf(f *ast.Field) string {
	for _, g := range ast.Comments(f) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(g.Text()), "+usage="); ok {
			return text
		}
	}
	return ""
}

// kind returns what v may be, and what it is by default.
func (r *reference) kind(v ast.Expr) (kind, fallback string) {
	switch v := v.(type) {
	case *ast.StructLit:
		if len(v.Elts) == 1 {
			if f, ok := v.Elts[0].(*ast.Field); ok {
				if _, _, err := ast.LabelName(f.Label); err != nil {
					of, _ := r.kind(f.Value)
					return "map of " + of, ""
				}
			}
		}
		return "object", ""
	case *ast.ListLit:
		for _, e := range v.Elts {
			if rest, ok := e.(*ast.Ellipsis); ok {
				if rest.Type == nil {
					return "list", ""
				}
				of, _ := r.kind(rest.Type)
				return "list of " + of, ""
			}
		}
		return "list", ""
	case *ast.BinaryExpr:
		if v.Op == token.OR {
			x, first := r.kind(v.X)
			y, second := r.kind(v.Y)
			if y == "string" && strings.HasPrefix(x, "`\"") {
				x = "" // a default of many
			}
			kinds := slices.DeleteFunc([]string{x, y}, func(s string) bool { return s == "" })
			return strings.Join(slices.Compact(kinds), " or "), first + second
		}
	case *ast.UnaryExpr:
		if v.Op == token.MUL {
			text := r.text(v.X)
			if s, isString := v.X.(*ast.BasicLit); isString && s.Kind == token.STRING && s.Value != `""` {
				return "`" + text + "`", "`" + text + "`"
			}
			if text == `""` || text == "[]" {
				return "", "empty"
			}
			if kind, _ := r.kind(v.X); kind == "object" {
				return kind, ""
			}
			return "", "`" + text + "`"
		}
	case *ast.ParenExpr:
		return r.kind(v.X)
	case *ast.Ident:
		if d := r.definitions[v.Name]; d != nil {
			return r.kind(d)
		}
		if v.Name == "_" {
			return "anything", ""
		}
		return v.Name, ""
	}
	return "`" + r.text(v) + "`", ""
}

func (r *reference) text(v ast.Expr) string {
	b, err := format.Node(v)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
