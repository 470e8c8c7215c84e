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

package trigger_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubevela/kube-trigger/pkg/trigger"
)

// countingFS counts the reads of each file.
type countingFS struct {
	fstest.MapFS
	reads map[string]int
}

func (c countingFS) ReadFile(name string) ([]byte, error) {
	c.reads[name]++
	return c.MapFS.ReadFile(name)
}

var _ fs.ReadFileFS = countingFS{}

func newFS() countingFS {
	return countingFS{fstest.MapFS{
		"good.cue":   {Data: []byte("parameter: x: string")},
		"broken.cue": {Data: []byte("parameter: {")},
		"huge.cue":   {Data: []byte(strings.Repeat(" ", 1<<20+1))},
		"notes.txt":  {Data: []byte("no template")},
	}, map[string]int{}}
}

func TestBuiltIn_ParsedOnUse(t *testing.T) {
	dir := newFS()
	templates, err := trigger.BuiltIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(templates) != 3 || len(dir.reads) != 0 {
		t.Fatalf("%d templates, read %v", len(templates), dir.reads)
	}
	first, problems := templates["good"]()
	second, _ := templates["good"]()
	if len(problems) > 0 || first.Name() != "good" || first != second {
		t.Errorf("got %v and %v, problems %v", first, second, problems)
	}
	for _, name := range []string{"broken", "huge"} {
		if _, problems := templates[name](); len(problems) != 1 || problems[0].Path != name+".cue" {
			t.Errorf("%s: problems %v", name, problems)
		}
	}
	if dir.reads["good.cue"] != 1 {
		t.Errorf("read %v", dir.reads)
	}
}

func TestParseTemplates_AllProblems(t *testing.T) {
	sources, problems := trigger.ReadTemplates(newFS())
	templates, parseProblems := trigger.ParseTemplates(sources, func(string) string { return "" })
	problems = append(problems, parseProblems...)
	if len(templates) != 2 || templates["good"] == nil {
		t.Errorf("templates %v", templates)
	}
	if _, broken := templates["broken"](); len(broken) != 1 || !broken[0].Secondary {
		t.Errorf("problems of the invalid template: %+v", broken)
	}
	if len(problems) != 2 || problems[0].Path != "huge.cue" || problems[1].Path != "broken.cue" {
		t.Errorf("problems %v", problems)
	}
}

func TestParseTemplates_Reject(t *testing.T) {
	sources, _ := trigger.ReadTemplates(newFS())
	templates, problems := trigger.ParseTemplates(sources, func(file string) string {
		if file == "broken.cue" {
			return "exceeds the limit"
		}
		return ""
	})
	if len(templates) != 2 || len(problems) != 1 || problems[0].String() != `broken.cue: action "broken": exceeds the limit` {
		t.Errorf("templates %v, problems %v", templates, problems)
	}
}
