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
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// tables returns the rows of the tables of a document by their header. Code is without
// its backticks.
func tables(t *testing.T, file string) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	out, header := map[string][][]string{}, ""
	for _, line := range strings.Split(string(text), "\n") {
		row, isRow := strings.CutPrefix(line, "| ")
		switch {
		case !isRow:
			header = ""
		case header == "":
			header = strings.TrimSuffix(row, " |")
		case !strings.HasPrefix(row, "---"):
			out[header] = append(out[header], cells(row))
		}
	}
	return out
}

// cells returns the cells of the row of a table.
func cells(row string) []string {
	const pipe = "\x00"
	var out []string
	for _, cell := range strings.Split(strings.TrimSuffix(strings.ReplaceAll(row, `\|`, pipe), " |"), " | ") {
		cell = strings.ReplaceAll(strings.TrimSpace(cell), pipe, "|")
		if code, ok := strings.CutPrefix(cell, "`"); ok {
			cell = strings.TrimSuffix(code, "`")
		}
		out = append(out, cell)
	}
	return out
}

// TestFilters_Tables evaluates the filters in the tables of docs/filters.md.
func TestFilters_Tables(t *testing.T) {
	rows := tables(t, "docs/filters.md")["filter | `context.data` | result"]
	if len(rows) < 30 {
		t.Fatalf("got %d rows, want at least 30", len(rows))
	}
	for _, row := range rows {
		f, problems := filter.Compile(row[0], event.Trigger{Name: "t"})
		if problems != nil {
			t.Errorf("%s: %v", row[0], problems)
			continue
		}
		data, err := number.UnmarshalObject([]byte(row[1]))
		if err != nil {
			t.Errorf("%s: %v", row[1], err)
			continue
		}
		v, err := f.Match(t.Context(), event.Event{Data: data, Time: time.Unix(1000, 0)})
		got := "match"
		if !v.Match {
			got = "no match: " + v.Reason
		}
		if err != nil || got != row[2] {
			t.Errorf("%s with %s: got %s, %v; want %s", row[0], row[1], got, err, row[2])
		}
	}
}

// TestFilters_Examples: the twenty examples of docs/filters.md are those with golden verdicts, and have
// no findings by the types of their events.
func TestFilters_Examples(t *testing.T) {
	rows := tables(t, "docs/filters.md")["filter | events of | matches when"]
	if len(rows) != 20 {
		t.Fatalf("got %d rows, want 20", len(rows))
	}
	golden, err := txtar.ParseFile(filepath.Join(root, "pkg/filter/testdata/golden/examples.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var tested []string
	for _, f := range golden.Files {
		if strings.HasSuffix(f.Name, ".cue") {
			tested = append(tested, strings.TrimSpace(string(f.Data)))
		}
	}
	for i, row := range rows {
		if i >= len(tested) || tested[i] != row[0] {
			t.Errorf("%s: is not the filter %d of the golden file", row[0], i+1)
		}
		form := sourcesByType()[row[1]].Form
		if version, kind, ok := strings.Cut(row[1], " "); ok {
			found := (&kubeschema.Schemas{}).Find(schema.FromAPIVersionAndKind(version, kind))
			if !found.Known {
				t.Errorf("%s: unknown", row[1])
			}
			form.Data = found.Type
		}
		if _, problems := filter.Compile(row[0], event.Trigger{Name: "t"}); problems != nil {
			t.Errorf("%s: %v", row[0], problems)
		}
		if findings := filter.Check(row[0], form); len(findings) > 0 {
			t.Errorf("%s: %v", row[0], findings)
		}
	}
}

// TestFilters_YAML reads the values in the table of docs/filters.md.
func TestFilters_YAML(t *testing.T) {
	rows := tables(t, "docs/filters.md")["YAML | value"]
	if len(rows) < 5 {
		t.Fatalf("got %d rows, want at least 5", len(rows))
	}
	for _, row := range rows {
		file := filepath.Join(t.TempDir(), "config.yaml")
		text := "triggers: [{source: {type: s, properties: {v: " + row[0] + "}}, action: {type: a}}]"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		documents, diagnostics := config.Read(file).Load("default", func(string) string { return "" })
		if len(diagnostics) > 0 {
			t.Errorf("%s: %v", row[0], diagnostics)
			continue
		}
		var properties map[string]json.RawMessage
		if err := json.Unmarshal(documents.Services[0].Spec.Triggers[0].Source.Properties.Raw, &properties); err != nil {
			t.Fatal(err)
		}
		if got := string(properties["v"]); got != row[1] {
			t.Errorf("%s: got %s, want %s", row[0], got, row[1])
		}
	}
}
