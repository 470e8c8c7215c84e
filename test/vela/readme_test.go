//go:build kubevela

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

package vela_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/program"
	"github.com/kubevela/kube-trigger/test/vela"
)

// readme runs the commands in addon/README.md in order, and checks their results.
func readme(t *testing.T, k env) {
	binary, err := program.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	k.runDocument(t, shellDocument{
		file: "addon/README.md", dir: copyFolders(t),
		replace: []string{"https://github.com/", k.serveReleases(t) + "/", "kube-trigger explain ", binary + " explain "},
		checks: map[string]func(out string){
			"vela addon registry add kube-trigger --type=helm --endpoint=https://github.com/kubevela/kube-trigger/releases/latest/download": expectOutput(t, "Successfully add"),
			"vela addon enable kube-trigger": expectOutput(t, "Addon kube-trigger enabled successfully"),
			"vela addon enable ./addon":      func(string) { k.waitForAddon(t) },
			"vela addon enable kube-trigger 'defaultRole.rules[0].apiGroups={apps}' 'defaultRole.rules[0].resources={deployments}' 'defaultRole.rules[0].verbs={patch}' 'defaultRole.rules[1].resources={configmaps}' 'defaultRole.rules[1].verbs={create,patch}'": func(string) { k.checkGivenRights(t) },
			"vela addon enable kube-trigger replicas=2 logLevel=debug":              func(string) { k.waitForAddon(t) },
			"vela addon status kube-trigger":                                        func(string) { k.waitForEnabled(t) },
			"vela kube apply -f examples/bump-on-change/objects.yaml":               expectOutput(t, "settings", "token"),
			"vela up -f examples/bump-on-change/application.yaml":                   func(string) { k.waitForRevision(t, "default", "shop", 1) },
			"kubectl wait --for=condition=Ready triggerservice --all --timeout=60s": func(string) { k.waitForTriggers(t, "default", 1) },
			"kubectl get triggerservices":                                           func(string) { k.waitForTriggers(t, "default", 1); k.node.ForwardPorts(t, "default") },
			"kube-trigger explain shop-web-bump -n default --object configmap/settings": func(out string) {
				expectOutput(t, "Trigger config ", "update of default/settings: succeeded")(out)
				expectNoOutput(t, "Forbidden")(out)
			},
			"vela status shop": expectOutput(t, "Watching 2 ConfigMaps and Secrets"),
			"vela kube apply -f examples/bump-on-change/edited.yaml": func(string) { k.waitForRevision(t, "default", "shop", 2) },
			"vela revision list shop":                                expectOutput(t, "shop-v2"),
			"vela status shop --tree":                                expectOutput(t, "TriggerService/shop-web-bump", "RoleBinding/shop-web-bump"),
			"vela delete shop -n default -y":                         func(string) { k.waitForDeletion(t, "core.oam.dev/v1beta1", "Application", "default", "shop") },
			"vela addon disable kube-trigger":                        func(string) { k.waitForDeletion(t, "core.oam.dev/v1beta1", "Application", vela.Namespace, addonApp) },
		},
	})
}

// waitForEnabled waits until the addon is enabled: from its folder, `vela addon enable` does not wait.
func (k env) waitForEnabled(t *testing.T) {
	t.Helper()
	cluster.Eventually(t, "addon", func(context.Context) error {
		const want = "kube-trigger: enabled"
		if out := k.Vela(t, "addon", "status", "kube-trigger"); !strings.Contains(out, want) {
			return fmt.Errorf("output of vela addon status: got\n%s\nwant %q", out, want)
		}
		return nil
	})
}

// checkGivenRights checks the rules that addon/README.md gives to triggers: they are in the
// ClusterRole, and a trigger annotates a ConfigMap.
func (k env) checkGivenRights(t *testing.T) {
	t.Helper()
	k.waitForAddon(t)
	rules := fmt.Sprint(k.get(t, "rbac.authorization.k8s.io/v1", "ClusterRole", "", "kube-trigger-default").Object["rules"])
	for _, want := range []string{"map[apiGroups:[apps] resources:[deployments] verbs:[patch]]", "map[apiGroups:[] resources:[configmaps] verbs:[create patch]]"} {
		if !strings.Contains(rules, want) {
			t.Errorf("rules of ClusterRole kube-trigger-default: got %s, want %s", rules, want)
		}
	}
	ns := k.Namespace(t)
	k.applySettings(t, ns, "blue", "a")
	k.Apply(t, example(t, ns, "trigger-service/application.yaml"))
	k.waitForRevision(t, ns, "triggers", 1)
	k.waitForTriggers(t, ns, 1)
	k.applySettings(t, ns, "green", "a")
	k.expectAnnotation(t, ns)
	k.Vela(t, "delete", "triggers", "-n", ns, "-y")
	k.waitForDeletion(t, "core.oam.dev/v1beta1", "Application", ns, "triggers")
}

// shellDocument is a document with commands.
type shellDocument struct {
	// file is the path in the repository.
	file string
	// dir is the working directory of the commands.
	dir string
	// replace are pairs of texts, as in strings.NewReplacer: what the test cannot reach, and
	// what is there in its place.
	replace []string
	// checks has the check of each command's output.
	checks map[string]func(out string)
}

// runDocument runs the commands of a document in order, and checks their results. A command
// without a check, or a check without a command, is an error.
func (k env) runDocument(t *testing.T, d shellDocument) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", d.file))
	if err != nil {
		t.Fatal(err)
	}
	run, continuation := map[string]bool{}, regexp.MustCompile(` *\\\n *`)
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(continuation.ReplaceAllString(block[1], " ")) {
			line = strings.TrimSpace(line)
			check, ok := d.checks[line]
			if !ok {
				t.Fatalf("%s: no check for command %q", d.file, line)
			}
			run[line] = true
			if strings.HasPrefix(line, "kubectl ") { // the check does the same
				check("")
				continue
			}
			out, err := k.TryShellIn(t, d.dir, strings.NewReplacer(d.replace...).Replace(line))
			if err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
			check(out)
		}
	}
	for line := range d.checks {
		if !run[line] {
			t.Errorf("%s: no command %q", d.file, line)
		}
	}
}

// expectOutput returns a check that an output contains all of want.
func expectOutput(t *testing.T, want ...string) func(string) {
	return func(out string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("got output\n%s\nwant %q", out, w)
			}
		}
	}
}

// expectNoOutput returns a check that an output does not contain a text.
func expectNoOutput(t *testing.T, text string) func(string) {
	return func(out string) {
		t.Helper()
		if strings.Contains(out, text) {
			t.Errorf("got output\n%s\nwant no %q", out, text)
		}
	}
}

// copyFolders copies the folders addon and examples to a temporary folder, and returns its
// path. The components of the examples have 0 replicas, because the cluster has no nodes.
func copyFolders(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"addon", "examples"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS("../../"+folder)); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range glob(t, filepath.Join(dir, "examples/*/application.yaml")) {
		rel, err := filepath.Rel(filepath.Join(dir, "examples"), file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(example(t, "default", rel)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
