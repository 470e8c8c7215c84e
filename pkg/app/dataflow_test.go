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
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubevela/kube-trigger/pkg/config"
)

var update = flag.Bool("update", false, "update the golden files")

// TestDataflow_Examples compares the rights and the graph of each example with a golden file.
func TestDataflow_Examples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d examples, %v", len(files), err)
	}
	var got strings.Builder
	files = slices.DeleteFunc(files, config.IsTest)
	for _, file := range files {
		o := DataflowOptions{Config: file, ActionsDir: filepath.Join(filepath.Dir(file), "actions")}
		if _, err := os.Stat(o.ActionsDir); err != nil {
			o.ActionsDir = ""
		}
		if filepath.Base(filepath.Dir(file)) == "custom-action" {
			o.Config = filepath.Dir(file)
		}
		roles, err := RBAC(t.Context(), RBACOptions{DataflowOptions: o})
		if err != nil {
			t.Fatal(err)
		}
		g, err := Graph(t.Context(), GraphOptions{DataflowOptions: o})
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Nodes) == 0 {
			continue // an Application, or objects
		}
		fmt.Fprintf(&got, "== %s\n", strings.TrimPrefix(o.Config, "../../"))
		for _, text := range append(roles.Unknown, roles.Notes...) {
			fmt.Fprintf(&got, "# %s\n", strings.TrimPrefix(text, "../../"))
		}
		for _, object := range roles.Objects {
			writeRules(t, &got, object)
		}
		fmt.Fprintln(&got, g.Lines())
	}
	const golden = "testdata/dataflow.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is not up to date; run go test ./pkg/app -run TestDataflow_Examples -update: %s", golden, diff)
	}
}

// writeRules writes a line for each rule of a Role.
func writeRules(t *testing.T, out *strings.Builder, object map[string]any) {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.Role
	if err := yaml.Unmarshal(text, &role); err != nil {
		t.Fatal(err)
	}
	if len(role.Rules) > 0 {
		fmt.Fprintln(out, strings.TrimSpace(role.Kind+" "+role.Namespace))
	}
	for _, r := range role.Rules {
		resource := strings.TrimSuffix(r.Resources[0]+"."+r.APIGroups[0], ".")
		fmt.Fprintf(out, "  %s\n", strings.TrimSpace(fmt.Sprintf("%s %s %s", strings.Join(r.Verbs, ","), resource, strings.Join(r.ResourceNames, " "))))
	}
}

// TestGraph_Cluster reads TriggerServices, and their actions, with the user's rights.
func TestGraph_Cluster(t *testing.T) {
	e := newEnv(t)
	e.installCRDs(t)
	create := func(name, spec string) {
		t.Helper()
		if err := e.createService(t, name, spec); err != nil {
			t.Fatal(err)
		}
	}
	const source = "source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: a, events: [update]}}"
	create("good", "\ntriggers:\n- name: restart\n  "+source+"\n  action: {type: restart-workload, properties: {kind: Deployment, name: web, namespace: b}}")
	create("broken", "\ntriggers:\n- name: broken\n  "+source+"\n  action: {type: nothing}")
	o := GraphOptions{FromCluster: true, Cluster: ClusterOptions{Kubeconfig: e.Kubeconfig}, DataflowOptions: DataflowOptions{Namespace: e.namespace}}
	g, err := Graph(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := e.namespace + "/restart\n  watches ConfigMap a/* (update)\n  writes Deployment b/web (patch)\n"
	if got := g.Lines(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(g.Unknown) != 1 || !strings.Contains(g.Unknown[0], `unknown action "nothing"`) {
		t.Errorf("got %q, want the invalid trigger", g.Unknown)
	}
	o.Cluster.Kubeconfig = writeKubeconfig(t, e.ServiceAccount(t, e.namespace, "powerless"), e.namespace)
	if _, err := Graph(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cannot list resource \"triggerservices\"") {
		t.Errorf("without rights: got error %v", err)
	}
}
