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
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// clusterPages returns the pages whose commands TestCluster_Commands runs, in this order.
func clusterPages() []string {
	return []string{"docs/triggers.md", actionsPage, "docs/cluster.md", "docs/security.md", "docs/upgrades.md"}
}

// actionsPage is the page about actions. Its section "Write an action" is a tutorial.
const actionsPage = "docs/actions.md"

// tutorialFiles are the files that the tutorial has its reader write.
type tutorialFiles struct{ action, triggers, tests string }

// tutorial returns the files of the tutorial of docs/actions.md.
func tutorial(t *testing.T) (f tutorialFiles) {
	t.Helper()
	for _, b := range codeBlocks(t, actionsPage) {
		switch {
		case b.language == "cue" && f.action == "":
			f.action = b.text
		case b.language == "yaml" && isTests(b.text):
			f.tests = b.text
		case b.language == "yaml" && f.triggers == "":
			f.triggers = b.text
		}
	}
	if f.action == "" || f.triggers == "" || f.tests == "" {
		t.Fatalf("%s: got %+v, want an action, triggers and tests", actionsPage, f)
	}
	return f
}

// TestCluster_Commands runs commands that need a cluster in which kube-trigger is installed, and no
// pods of it.
func TestCluster_Commands(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("needs kubectl")
	}
	c := cluster.Start(t, cluster.Own())
	c.InstallKubeTrigger(t)
	const triggers = `
triggers:
  - name: marks
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: team-a, events: [update]}}
    action: {type: patch-resource, properties: {resource: {apiVersion: v1, kind: ConfigMap, name: seen, namespace: team-a}, patch: {data: {data: {seen: "yes"}}}}}
`
	files := tutorial(t)
	dir := workspace(t, c, map[string]string{
		"triggers.yaml":          triggers,
		"triggers/triggers.yaml": triggers,
		"actions/annotate.cue":   files.action,
		"annotate.yaml":          files.triggers,
		"annotate_test.yaml":     files.tests,
	})
	shell(t, dir, "ln -s '"+absolute(t, "addon")+"' addon && kubectl create namespace team-a")
	for _, page := range clusterPages() {
		commands := 0
		for _, b := range codeBlocks(t, page) {
			if b.language != "sh" {
				continue
			}
			for _, line := range lines(b.text) {
				commands++
				const path = `PATH="$PWD/bin:$PATH"`
				switch {
				case strings.HasPrefix(line, "kube-trigger run"):
					startTrigger(t, dir, "env "+path+" "+line)
					continue
				case strings.HasPrefix(line, "kubectl get configmap"):
					waitForOutput(t, dir, line, "example.com/last-change")
					continue
				}
				out := shell(t, dir, "set -o pipefail; "+path+"; "+line)
				for command, want := range map[string]string{
					"kube-trigger rbac":       "rolebinding.rbac.authorization.k8s.io/kube-trigger-triggers ",
					"kube-trigger graph -f":   "marks",
					"kube-trigger vet":        "1 trigger is valid",
					"kube-trigger test":       "1 passed",
					"kube-trigger def":        "trigger-action-annotate created",
					"kubectl get definitions": "trigger-action-annotate",
				} {
					if strings.HasPrefix(line, command) && !strings.Contains(line, ">") && !strings.Contains(out, want) {
						t.Errorf("%s: %s: got\n%s\nwant %q", page, line, out, want)
					}
				}
			}
		}
		if commands == 0 {
			t.Errorf("%s: no command", page)
		}
	}
}

// absolute returns the absolute path of a file of the repository.
func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
