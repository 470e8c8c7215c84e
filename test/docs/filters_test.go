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

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
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
