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

package filter

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// All filters of the docs, of the rules and of the measurements are compiled, but for these.
func TestFilter_ByCUE(t *testing.T) {
	want := []string{
		"_ok: or([for c in context.data.l {c.ready}])\n_ok: the function or is evaluated by CUE",
		`list.Contains(context.data.l, "b") && math.Abs(context.data.n) == 3: the function math.Abs is evaluated by CUE`,
	}
	var got []string
	all := documented(t)
	if len(all) < 150 {
		t.Fatalf("only %d filters", len(all))
	}
	for _, text := range all {
		f, problems := Compile(text, event.Trigger{})
		if len(problems) > 0 {
			continue
		}
		for _, d := range f.ByCUE() {
			got = append(got, text+": "+d.Message)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("by CUE:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// documented returns all filters.
func documented(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, name := range []string{"filters", "cookbook"} {
		text, err := os.ReadFile("../../docs/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), " | ")
			for _, cell := range cells {
				if cell = strings.Trim(cell, "| "); strings.HasPrefix(line, "|") && strings.Contains(cell, "context.") && strings.HasPrefix(cell, "`") {
					all = append(all, strings.ReplaceAll(strings.Trim(cell, "`"), "\x00", "|"))
				}
			}
		}
	}
	for _, group := range rules() {
		for _, r := range group {
			all = append(all, r.filter)
		}
	}
	text, err := os.ReadFile("testdata/predicates.json")
	if err != nil {
		t.Fatal(err)
	}
	var predicates []struct{ CUE string }
	if err := json.Unmarshal(text, &predicates); err != nil {
		t.Fatal(err)
	}
	for _, p := range predicates {
		all = append(all, p.CUE)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
