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

// opened counts how often a file is read.
type opened struct {
	fstest.MapFS
	times map[string]int
}

func (o opened) ReadFile(name string) ([]byte, error) {
	o.times[name]++
	return o.MapFS.ReadFile(name)
}

var _ fs.ReadFileFS = opened{}

func folder() opened {
	return opened{fstest.MapFS{
		"good.cue":   {Data: []byte("parameter: x: string")},
		"broken.cue": {Data: []byte("parameter: {")},
		"huge.cue":   {Data: []byte(strings.Repeat(" ", 1<<20+1))},
		"notes.txt":  {Data: []byte("no template")},
	}, map[string]int{}}
}

func TestBuiltInIsParsedWhenItIsNamed(t *testing.T) {
	dir := folder()
	templates, err := trigger.BuiltIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(templates) != 3 || len(dir.times) != 0 {
		t.Fatalf("%d templates, read %v", len(templates), dir.times)
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
	if dir.times["good.cue"] != 1 {
		t.Errorf("read %v", dir.times)
	}
}

func TestTemplatesFindsAllProblemsAtOnce(t *testing.T) {
	sources, problems := trigger.ReadTemplates(folder())
	templates, parsing := trigger.ParseTemplates(sources, func(string) string { return "" })
	problems = append(problems, parsing...)
	if len(templates) != 1 || templates["good"] == nil {
		t.Errorf("templates %v", templates)
	}
	if len(problems) != 2 || problems[0].Path != "huge.cue" || problems[1].Path != "broken.cue" {
		t.Errorf("problems %v", problems)
	}
}

func TestRefusedTemplateIsNotParsed(t *testing.T) {
	sources, _ := trigger.ReadTemplates(folder())
	templates, problems := trigger.ParseTemplates(sources, func(file string) string {
		if file == "broken.cue" {
			return "is a bomb"
		}
		return ""
	})
	if len(templates) != 1 || len(problems) != 1 || problems[0].String() != `broken.cue: action "broken": is a bomb` {
		t.Errorf("templates %v, problems %v", templates, problems)
	}
}
