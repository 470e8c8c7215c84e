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

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/catalog"
)

// TestNewTrigger_Valid: a trigger with any source, or with any action, is valid: NewTrigger has
// Vet check it. Its new test passes.
func TestNewTrigger_Valid(t *testing.T) {
	entries, err := Catalog(t.Context(), CatalogOptions{}, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var tests []string
	for _, e := range entries {
		name := strings.ToLower(e.Kind) + "-" + e.Type
		o := TriggerOptions{Name: name, Source: "resource-watcher", Action: "log"}
		if e.Kind == catalog.Source {
			o.Source = e.Type
		} else {
			o.Action = e.Type
		}
		text, err := NewTrigger(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join(dir, name+".yaml")
		if err := WriteNew(file, text, nil); err != nil {
			t.Fatal(err)
		}
		test := TestPath(file)
		if err := NewTests(t.Context(), file, "", test, nil); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		tests = append(tests, test)
		if err := WriteNew(file, nil, nil); err == nil {
			t.Errorf("%s: the file was overwritten", name)
		}
		if kept, err := os.ReadFile(file); err != nil || string(kept) != string(text) {
			t.Errorf("%s: got %q, %v after the second write", name, kept, err)
		}
	}
	if v, err := Validate(t.Context(), ValidateOptions{Config: dir}); err != nil || v.Triggers != len(entries) {
		t.Errorf("got %d triggers, %v, want %d", v.Triggers, err, len(entries))
	}
	results, err := Test(t.Context(), TestOptions{Paths: tests})
	if err != nil || len(results) != len(entries) {
		t.Fatalf("got %d results, %v, want %d", len(results), err, len(entries))
	}
	for _, r := range results {
		if len(r.Invalid) > 0 || len(r.Tests) != 1 || len(r.Tests[0].Failures) > 0 {
			t.Errorf("got %+v of the new test, want that it passes", r)
		}
	}
}
