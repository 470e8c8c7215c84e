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

package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"github.com/google/go-cmp/cmp"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
)

// TestSchema_MatchesAPI compares the schema of configurations with the API's types.
func TestSchema_MatchesAPI(t *testing.T) {
	root := cuecontext.New().CompileString(configSchema)
	for path, typ := range map[string]reflect.Type{
		"":                       reflect.TypeFor[v1alpha1.TriggerServiceSpec](),
		"#Trigger":               reflect.TypeFor[v1alpha1.Trigger](),
		"#Trigger.source":        reflect.TypeFor[v1alpha1.Source](),
		"#Trigger.action?":       reflect.TypeFor[v1alpha1.Action](),
		"#ActionStep":            reflect.TypeFor[v1alpha1.ActionStep](),
		"#Trigger.retry?":        reflect.TypeFor[v1alpha1.Retry](),
		"#Trigger.retry.backoff": reflect.TypeFor[v1alpha1.Backoff](),
		"worker":                 reflect.TypeFor[v1alpha1.Worker](),
	} {
		v := root
		for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
			step = strings.TrimSuffix(step, "?")
			if strings.HasPrefix(step, "#") {
				v = v.LookupPath(cue.MakePath(cue.Def(step)))
			} else if next := v.LookupPath(cue.MakePath(cue.Str(step))); next.Exists() {
				v = next
			} else {
				v = v.LookupPath(cue.MakePath(cue.Str(step).Optional()))
			}
		}
		var cueFields, goFields []string
		it, err := v.Fields(cue.Optional(true))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for it.Next() {
			cueFields = append(cueFields, it.Selector().Unquoted())
		}
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			goFields = append(goFields, name)
		}
		slices.Sort(cueFields)
		slices.Sort(goFields)
		if diff := cmp.Diff(goFields, cueFields); diff != "" {
			t.Errorf("%s (-Go +CUE):\n%s", path, diff)
		}
	}
}

// TestLocate compares the text at each located position, for all YAML scalar styles.
func TestLocate(t *testing.T) {
	const text = `triggers:
  - filter: |
      one
      two three
    name: "quoted words"
    folded: >
      one two
      three
    plain: one two
    "wide äöü": {a: "ä", b: one two}
`
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	docs, diagnostics := Read(file).List[0].documents()
	if len(diagnostics) > 0 {
		t.Fatal(diagnostics)
	}
	for _, tc := range []struct {
		path         string
		line, column int
		want         string
	}{
		{"triggers[0].filter", 2, 5, "three"},
		{"triggers[0].filter", 0, 0, "filter: |"},
		{"triggers[0].name", 1, 8, "words"},
		{"triggers[0].folded", 1, 9, "three"},
		{"triggers[0].folded", 1, 5, "two"},
		{"triggers[0].plain", 1, 5, "two"},
		{`triggers[0]["wide äöü"].b`, 0, 0, "b: one"},
		{`triggers[0]["wide äöü"].b`, 1, 5, "two"},
		{"triggers[0].nothing.there", 0, 0, "filter: |"},
		{"", 0, 0, "triggers:"},
	} {
		d := docs[0].locator.locate(diag.Diagnostic{Path: tc.path, Line: tc.line, Column: tc.column})
		got := strings.Split(text, "\n")[d.Line-1][d.Column-1:]
		if !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s %d:%d: %d:%d is at %q, want %q", tc.path, tc.line, tc.column, d.Line, d.Column, got, tc.want)
		}
	}
}

// FuzzRead checks that any file yields a trigger or a diagnostic, without a panic.
func FuzzRead(f *testing.F) {
	f.Add([]byte("triggers:\n- source: {type: a}\n"), false)
	f.Add([]byte("triggers: [{source: type: \"a\"}]"), true)
	f.Add([]byte("a: &a [*a]\n---\n? [b]\n: 2020-01-01\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, asCUE bool) {
		name := "c.yaml"
		if asCUE {
			name = "c.cue"
		}
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		documents, diagnostics := Read(file).Load("default", func(string) string { return "" })
		if len(documents.Services) == 0 && len(diagnostics) == 0 {
			t.Error("neither a trigger nor a diagnostic")
		}
	})
}

// TestLoad_Reject checks that rejected CUE files are not evaluated.
func TestLoad_Reject(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.cue": "x: 1 & 2", "b.cue": "triggers: 1 & 2", "c.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var checked []string
	documents, diagnostics := Read(dir).Load("default", func(path string) string {
		checked = append(checked, filepath.Base(path))
		if filepath.Base(path) == "a.cue" {
			return "is too expensive"
		}
		return ""
	})
	if diff := cmp.Diff([]string{"a.cue", "b.cue"}, checked); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, d := range diagnostics {
		got = append(got, strings.TrimPrefix(d.String(), dir+"/"))
	}
	want := []string{
		"a.cue: is too expensive",
		"b.cue:1:11: conflicting values 2 and 1",
		"c.json:1:1: triggers: at least one trigger is required",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(documents.Services) > 0 {
		t.Errorf("%d documents; (-want +got):\n%s", len(documents.Services), diff)
	}
}

// TestLoad_UnnamedTriggers: unnamed triggers of several documents of a file have different
// names, and those of the first keep theirs.
func TestLoad_UnnamedTriggers(t *testing.T) {
	const unnamed = "triggers:\n- {source: {type: a}, action: {type: b}}\n- {source: {type: a}, action: {type: b}}\n"
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"one":   {unnamed, []string{"c-0", "c-1"}},
		"three": {unnamed + "---\n" + unnamed + "---\n" + unnamed, []string{"c-0", "c-1", "c-document-2-0", "c-document-2-1", "c-document-3-0", "c-document-3-1"}},
		"named documents": {
			"apiVersion: standard.oam.dev/v1alpha1\nkind: TriggerService\nmetadata: {name: x}\nspec:\n  triggers:\n  - {source: {type: a}, action: {type: b}}\n---\n" + unnamed,
			[]string{"x-0", "c-0", "c-1"},
		},
		"named triggers": {
			"triggers:\n- {name: one, source: {type: a}, action: {type: b}}\n---\n" + unnamed,
			[]string{"one", "c-0", "c-1"},
		},
		"named like a default": {
			"triggers:\n- {name: c-1, source: {type: a}, action: {type: b}}\n---\n" + unnamed,
			[]string{"c-1", "c-document-2-0", "c-document-2-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			documents, diagnostics := Read(file).Load("default", func(string) string { return "" })
			if len(diagnostics) > 0 {
				t.Fatal(diagnostics)
			}
			var got []string
			for _, s := range documents.Services {
				for i := range s.Spec.Triggers {
					got = append(got, s.TriggerName(i))
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
