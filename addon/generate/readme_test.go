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

package main

import (
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
)

// TestReadme checks that the README of the addon lists all parameters and defaults.
func TestReadme(t *testing.T) {
	readme := read(t, "../README.md")
	v := cuecontext.New().CompileBytes(read(t, "../parameter.cue")).LookupPath(cue.ParsePath("parameter"))
	for path, value := range leaves(t, "", v) {
		row := ""
		for line := range strings.Lines(string(readme)) {
			if strings.HasPrefix(line, "| ") && strings.Contains(line, "`"+path+"`") {
				row = line
			}
		}
		if row == "" || !strings.Contains(row, value) {
			t.Errorf("README has %q for %s, whose default is %q", row, path, value)
		}
	}
}

// leaves returns the default of each parameter without nested parameters. A parameter
// without a default or a +usage comment is an error.
func leaves(t *testing.T, prefix string, v cue.Value) map[string]string {
	t.Helper()
	all := map[string]string{}
	fields, err := v.Fields()
	if err != nil {
		t.Fatal(err)
	}
	for fields.Next() {
		path, value := prefix+fields.Selector().String(), fields.Value()
		if value.IncompleteKind() == cue.StructKind {
			for k, d := range leaves(t, path+".", value) {
				all[k] = d
			}
			continue
		}
		if !strings.Contains(doc(value), "+usage=") {
			t.Errorf("%s has no +usage", path)
		}
		d, ok := value.Default()
		if !ok {
			t.Errorf("%s has no default", path)
		}
		text, err := d.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		all[path] = strings.Trim(string(text), `"[]`)
	}
	return all
}

func doc(v cue.Value) string {
	var b strings.Builder
	for _, g := range v.Doc() {
		b.WriteString(g.Text())
	}
	return b.String()
}
