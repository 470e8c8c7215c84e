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
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// allAccepted begins each step.
func allAccepted(string) string { return "" }

// Several children report of a large configuration what one reports.
func TestCheck_Shards(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("triggers:\n")
	for i := range 40 {
		action := `{type: log, properties: {message: "x"}}`
		switch {
		case i%13 == 5:
			action = `{type: log, properties: {mesage: "x"}}`
		case i%13 == 7:
			action = `{type: broken}`
		}
		fmt.Fprintf(&b, "  - name: t%d\n    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: default}}\n    filter: context.data.metadata.name == %q\n    action: %s\n",
			i%37, strings.Repeat("n", 30), action)
	}
	file, actionsDir := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "actions")
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, b.String())
	write(filepath.Join(actionsDir, "broken.cue"), "a: b\n")
	cfg, err := readConfig(file, actionsDir)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := cfg.compile(clients{}, allAccepted)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(whole.diagnostics); n < 6 {
		t.Fatalf("only %d diagnostics", n)
	}
	var invalid InvalidError
	result, err := cfg.checkIn(t.Context(), 2)
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole.diagnostics, result.Diagnostics); diff != "" {
		t.Error(diff)
	}
	if got, want := result.Triggers, len(whole.rules); got != want {
		t.Errorf("%d triggers, want %d", got, want)
	}
	if diff := cmp.Diff(whole.reports(), result.Reports); diff != "" {
		t.Error(diff)
	}
}

// Triggers that were accepted are compiled concurrently, and are those that were checked.
func TestConfiguration_CompileValid(t *testing.T) {
	same := filepath.Join(t.TempDir(), "config.yaml")
	text := "triggers:\n"
	for i := range 24 {
		text += fmt.Sprintf("  - name: bump-%d\n    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap}}\n    filter: context.data.metadata.name == \"a%[1]d\"\n    action: {type: bump-application-revision, properties: {nameSelector: {name: a%[1]d}}}\n", i)
	}
	if err := os.WriteFile(same, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"../../examples/actions/config.yaml", same} {
		cfg, err := readConfig(file, "")
		if err != nil {
			t.Fatal(err)
		}
		checked, err := cfg.compile(clients{}, allAccepted)
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := cfg.compileValid(clients{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(checked.byCUE, compiled.byCUE); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(describeRules(checked), describeRules(compiled)); diff != "" {
			t.Error(diff)
		}
	}
}

// describeRules returns what the triggers of a configuration are, one a line.
func describeRules(c compiledConfiguration) []string {
	var out []string
	for _, r := range c.rules {
		out = append(out, fmt.Sprintf("%s: filter %s, watch %+v, %d actions, %d stages", r.Name, r.spec.Filter, r.Subscription.Watch(), len(r.Actions), len(r.Stages)))
	}
	return out
}
