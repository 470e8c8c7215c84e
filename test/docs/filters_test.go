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

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/test/markdown"
)

// TestFilters_Examples checks the examples of docs/filters.md by the types of their events: none has a
// finding. TestExamples of pkg/filter evaluates them.
func TestFilters_Examples(t *testing.T) {
	rows := markdown.Tables(t, filepath.Join(root, "docs/filters.md"))["you want to act when | events of | filter"]
	if len(rows) < 25 {
		t.Fatalf("got %d rows, want at least 25", len(rows))
	}
	unknown := map[string]bool{"cert-manager.io/v1 Certificate": true}
	sources := sourcesByType()
	for _, row := range rows {
		form := sources[row[1]].Form
		if version, kind, ok := strings.Cut(row[1], " "); ok {
			found := (&kubeschema.Schemas{}).Find(schema.FromAPIVersionAndKind(version, kind))
			if found.Known == unknown[row[1]] {
				t.Errorf("%s: known is %v", row[1], found.Known)
			}
			form = sources["resource-watcher"].Form
			form.Data = found.Type
		} else if _, ok := sources[row[1]]; !ok {
			t.Errorf("%s: not a source", row[1])
		}
		if _, problems := filter.Compile(row[2], event.Trigger{Name: "t"}); problems != nil {
			t.Errorf("%s: %v", row[2], problems)
			continue
		}
		if findings := filter.Check(row[2], form); len(findings) > 0 {
			t.Errorf("%s: %v", row[2], findings)
		}
	}
}

// TestFilters_YAML reads the values in the table of docs/filters.md.
func TestFilters_YAML(t *testing.T) {
	rows := markdown.Tables(t, filepath.Join(root, "docs/filters.md"))["YAML | value"]
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
