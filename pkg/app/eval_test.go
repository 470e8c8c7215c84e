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
)

// TestEval_Cluster has the API server answer reads, and try writes, which change nothing.
func TestEval_Cluster(t *testing.T) {
	e := newEnv(t)
	e.createApplication(t, "web")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.yaml": `
triggers:
  - name: bump
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap}}
    action: {type: bump-application-revision, properties: {namespace: NAMESPACE, nameSelector: {name: web}}}
`,
		"event.yaml": `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: NAMESPACE}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "NAMESPACE", e.namespace)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dryRun := range []bool{false, true} {
		all, err := Eval(t.Context(), EvalOptions{
			Config: filepath.Join(dir, "config.yaml"), Event: filepath.Join(dir, "event.yaml"), Type: "update",
			LiveReads: true, ServerDryRun: dryRun, Cluster: ClusterOptions{Kubeconfig: e.Kubeconfig},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 1 || len(all[0].Events) != 1 {
			t.Fatalf("got %+v", all)
		}
		got := all[0].Events[0]
		if got.Error != "" || len(got.Calls) != 2 || got.Calls[1].Function != "kube.patch" {
			t.Errorf("dry run %v: got %+v", dryRun, got)
		}
		if want := map[bool]int{true: 1}[dryRun]; len(got.Writes) != want {
			t.Errorf("dry run %v: got writes %+v", dryRun, got.Writes)
		}
		for _, w := range got.Writes {
			before, _ := w.Before["metadata"].(map[string]any)
			after, _ := w.After["metadata"].(map[string]any)
			annotations, _ := after["annotations"].(map[string]any)
			if w.Object != "Application "+e.namespace+"/web" || before["annotations"] != nil || annotations["app.oam.dev/publishVersion"] != "1" {
				t.Errorf("got %+v", w)
			}
		}
		if v := e.publishVersion(t, "web"); v != "" {
			t.Errorf("dry run %v: the Application has version %q", dryRun, v)
		}
	}
}
