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
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// TestOperations_Commands runs the commands of docs/operations.md with a trigger whose
// action fails.
func TestOperations_Commands(t *testing.T) {
	c := cluster.Start(t)
	c.InstallApplicationCRD(t)
	dir := workspace(t, c, map[string]string{
		"config.yaml": `
triggers:
  - source: {type: resource-watcher, properties: {apiVersion: v1, kind: Namespace, events: [sync], fieldSelector: metadata.name=default}}
    action: {type: bump-application-revision, properties: {namespace: default}}
    retry: {limit: 0}
`,
	})
	startTrigger(t, dir, "bin/kube-trigger run -c config.yaml")
	const list = "bin/kube-trigger dead-letters list -c config.yaml"
	id := strings.Fields(strings.Split(waitForOutput(t, dir, list, "RetriesExhausted"), "\n")[1])[0]
	commands := 0
	for _, b := range codeBlocks(t, "docs/operations.md") {
		for _, line := range lines(b.text) {
			out := shell(t, dir, strings.Replace(line, " ID ", " "+id+" ", 1))
			if !strings.Contains(out, id) {
				t.Errorf("%s: got %s, want ID %s", line, out, id)
			}
			if strings.Contains(line, "replay") {
				// The replay fails, and the event is dead-lettered again, without a request.
				waitForOutput(t, dir, list+" | grep -v 'requested' || true", "RetriesExhausted")
			}
			commands++
		}
	}
	if commands < 4 {
		t.Errorf("docs/operations.md: got %d commands, want at least 4", commands)
	}
	if out := shell(t, dir, list); strings.Contains(out, id) {
		t.Errorf("dead letters after delete: got %s, want none with ID %s", out, id)
	}
}

// TestOperations_Complete checks that docs/operations.md mentions all reasons and metrics.
func TestOperations_Complete(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	document := read("docs/operations.md")
	for _, c := range []struct {
		pattern, prefix string
		files           []string
		minMatches      int
	}{
		{`(?m)^\s+Reason\w+\s+= "(\w+)"`, "", []string{"pkg/engine/decision.go"}, 13},
		{`(?m)^\s+\w+ Reason = "(\w+)"`, "", []string{"pkg/source/source.go"}, 3},
		{`const Reason\w+ = "(\w+)"`, "", []string{"pkg/engine/replay/replay.go", "pkg/observe/metrics.go"}, 2},
		{`(?:counter\(|histogram\(|describe\(|Name: )"([a-z_]+)"`, "kube_trigger_", []string{"pkg/observe/metrics.go", "pkg/observe/gauges.go"}, 11},
	} {
		matches := 0
		for _, file := range c.files {
			for _, m := range regexp.MustCompile(c.pattern).FindAllStringSubmatch(read(file), -1) {
				matches++
				if !strings.Contains(document, "`"+c.prefix+m[1]+"`") {
					t.Errorf("docs/operations.md does not mention %s%s of %s", c.prefix, m[1], file)
				}
			}
		}
		if matches < c.minMatches {
			t.Errorf("%s: got %d matches, want at least %d", c.pattern, matches, c.minMatches)
		}
	}
}
