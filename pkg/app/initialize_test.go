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
	"testing"

	"github.com/kubevela/kube-trigger/pkg/catalog"
)

// TestNewTrigger_Valid: a trigger with any source, or with any action, is valid: NewTrigger has
// Vet check it. Its new test passes.
func TestNewTrigger_Valid(t *testing.T) {
	entries, err := Catalog(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Run(e.Kind+"/"+e.Type, func(t *testing.T) {
			o := TriggerOptions{Name: "first", Source: "resource-watcher", Action: "log"}
			if e.Kind == catalog.Source {
				o.Source = e.Type
			} else {
				o.Action = e.Type
			}
			text, err := NewTrigger(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "trigger.yaml")
			if err := WriteNew(file, text, nil); err != nil {
				t.Fatal(err)
			}
			if v, err := Validate(t.Context(), ValidateOptions{Config: file}); err != nil || v.Triggers != 1 {
				t.Errorf("got %d triggers, %v\n%s", v.Triggers, err, text)
			}
			tests := TestPath(file)
			if err := NewTests(t.Context(), file, "", tests, nil); err != nil {
				t.Fatal(err)
			}
			if results, err := Test(t.Context(), TestOptions{Paths: []string{tests}}); err != nil || len(results) != 1 || len(results[0].Invalid) > 0 || len(results[0].Tests) != 1 || len(results[0].Tests[0].Failures) > 0 {
				t.Errorf("got %+v, %v of the new test, want that it passes", results, err)
			}
			if err := WriteNew(file, nil, nil); err == nil {
				t.Error("the file was overwritten")
			}
			if kept, err := os.ReadFile(file); err != nil || string(kept) != string(text) {
				t.Errorf("got %q, %v after the second write", kept, err)
			}
		})
	}
}
