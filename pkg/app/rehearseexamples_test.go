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
	"time"

	"github.com/kubevela/kube-trigger/pkg/config"
	"github.com/kubevela/kube-trigger/pkg/rehearsal"
)

// TestTest_Examples runs the tests of all examples. Each example with triggers has some.
func TestTest_Examples(t *testing.T) {
	results, err := Test(t.Context(), TestOptions{Paths: []string{"../../examples"}})
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for _, f := range results {
		for _, problem := range f.Invalid {
			t.Error(problem)
		}
		for _, test := range f.Tests {
			for _, failure := range test.Failures {
				t.Errorf("%s:%d: %s: %s\n%s", f.File, failure.Line, test.Name, failure.Message, strings.Join(failure.Diff, "\n"))
			}
		}
		tested[filepath.Dir(f.File)] = len(f.Tests) > 0
	}
	// Their triggers are in Applications.
	for _, of := range []string{"bump-on-change", "restart-on-change", "trigger-service", "trigger-trait"} {
		tested["../../examples/"+of] = true
	}
	for _, dir := range exampleDirs(t) {
		if !tested[dir] {
			t.Errorf("%s has no test", dir)
		}
	}
}

func exampleDirs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../examples/*/README.md")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d examples, %v", len(files), err)
	}
	for i := range files {
		files[i] = filepath.Dir(files[i])
	}
	return files
}

// TestEval_Examples evaluates an object, a request and a tick with each example. Each trigger
// says what it makes of it.
func TestEval_Examples(t *testing.T) {
	object := filepath.Join(t.TempDir(), "object.yaml")
	text := "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: default, labels: {app: web}}, data: {color: green}}"
	if err := os.WriteFile(object, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ignored := map[string]bool{}
	for _, dir := range exampleDirs(t) {
		for _, name := range []string{"config.yaml", "trigger.yaml", "service.yaml"} {
			file := filepath.Join(dir, name)
			if _, err := os.Stat(file); err != nil || config.IsTest(file) {
				continue
			}
			if name == "trigger.yaml" { // its action is a file of its own
				file = dir
			}
			actions := filepath.Join(dir, "actions")
			if _, err := os.Stat(actions); err != nil || name == "service.yaml" {
				actions = ""
			}
			for _, o := range []EvalOptions{{Event: object}, {Event: "../../examples/webhook/push.json"}, {Time: "2026-11-29T02:00:00Z"}} {
				o.Config, o.ActionsDir, o.Type = file, actions, "update"
				started := time.Now()
				evaluations, err := Eval(t.Context(), o)
				if err != nil {
					t.Errorf("%s: %v", file, err)
					continue
				}
				t.Logf("%s: %s", file, time.Since(started).Round(time.Millisecond))
				for _, e := range evaluations {
					ignored[filepath.Base(dir)+" "+e.Trigger] = ignored[filepath.Base(dir)+" "+e.Trigger] || e.Ignored == ""
					if e.Ignored == "" && len(e.Events) == 0 {
						t.Errorf("%s: %+v", e.Trigger, e)
					}
				}
			}
		}
	}
	for _, want := range []string{"webhook default/pushed", "actions default/log", "several-actions default/bump-and-tell"} {
		if !ignored[want] {
			t.Errorf("%s: no event", want)
		}
	}
}

// BenchmarkTest runs the tests of one file, without those of processes.
func BenchmarkTest(b *testing.B) {
	const path = "../../examples/several-actions/config_test.yaml"
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	file, err := rehearsal.ParseTestFile(path, data)
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := readConfig(file.Resolve(file.Config), "")
	if err != nil {
		b.Fatal(err)
	}
	o := rehearsal.Options{Executors: &rehearsal.Executors{}}
	compiled, err := cfg.compile(clients{newExecutor: o.Executors.New}, func(string) string { return "" })
	if err != nil {
		b.Fatal(err)
	}
	for _, rule := range compiled.rules {
		o.Triggers = append(o.Triggers, rule.Compiled)
	}
	for b.Loop() {
		if result := file.Run(b.Context(), 0, o, false); len(result.Failures) > 0 {
			b.Fatal(result.Failures)
		}
	}
}
