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

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/controller/workload"
	"github.com/kubevela/kube-trigger/test/cluster"
)

// ownAction is a run of an example whose actions are its own.
type ownAction struct {
	*installation
	namespace string
	// bodies receives the bodies of the requests that actions send.
	bodies chan string
	// logs returns the log of the process that runs the triggers.
	logs func() string
}

// ownActions tests the examples of own actions: as files that `kube-trigger run` reads, with
// the rights of an administrator, and as Definitions and a TriggerService.
func ownActions(t *testing.T, i *installation) {
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kubevela/workflow").Output()
	if err != nil {
		t.Fatal(err)
	}
	i.Install(t, filepath.Join(strings.TrimSpace(string(module)), "charts/vela-workflow/crds/core.oam.dev_workflowruns.yaml"))
	i.allowLoopback(t)
	for folder, test := range map[string]struct {
		prepare, use func(*testing.T, ownAction)
	}{
		"cascade":       {prepareCascade, useCascade},
		"clean-up":      {prepareCleanUp, useCleanUp},
		"revision-diff": {prepareRevisionDiff, useRevisionDiff},
		"rotate-token":  {prepareRotateToken, useRotateToken},
		"tenants":       {func(*testing.T, ownAction) {}, useTenants},
	} {
		for mode, start := range map[string]func(*ownAction, *testing.T, string, *strings.Replacer){
			"Files": (*ownAction).startFiles, "Definitions": (*ownAction).startDefinitions,
		} {
			t.Run(folder+"/"+mode, func(t *testing.T) {
				t.Parallel()
				a := ownAction{installation: i, namespace: i.Namespace(t), bodies: make(chan string, 100)}
				test.prepare(t, a)
				start(&a, t, filepath.Join("../../examples", folder), a.adapt(t))
				test.use(t, a)
			})
		}
	}
}

// allowLoopback creates the worker template "loopback". Its workers may send requests to the
// loopback address, where the tests listen.
func (i *installation) allowLoopback(t *testing.T) {
	t.Helper()
	template := strings.Replace(workload.Dedicated(), `"run",`, `"run", "--allow-address=127.0.0.1",`, 1)
	i.apply(t, strings.NewReplacer("trigger-action-stamp", "trigger-worker-loopback", "type: trigger-action", "type: trigger-worker").Replace(stampDefinition("vela-system", template)))
}

// adapt returns the changes of an example for the test: its namespace and label are the test's
// own, its requests go to the test, and its schedule ticks each second.
func (a *ownAction) adapt(t *testing.T) *strings.Replacer {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.bodies <- string(body)
	}))
	t.Cleanup(s.Close)
	return strings.NewReplacer(
		"namespace: default", "namespace: "+a.namespace,
		"https://changes.example.com", s.URL,
		"example.com/size", a.namespace+".example.com/size",
		`"@hourly", jitter: 5m`, `"* * * * * *"`,
	)
}

// startFiles runs the configuration and the actions of an example until the test ends.
func (a *ownAction) startFiles(t *testing.T, folder string, adapt *strings.Replacer) {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(folder, "actions", "*.cue"))
	if err != nil || len(files) == 0 {
		t.Fatalf("actions of %s: got %v, %v, want at least 1", folder, files, err)
	}
	for _, file := range append(files, filepath.Join(folder, "config.yaml")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(adapt.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "run", "--kubeconfig", a.Kubeconfig, "--config", filepath.Join(dir, "config.yaml"), "--actions-dir", dir, //nolint:gosec // own program, ended below
		"--store", filepath.Join(dir, "store"), "--metrics-addr", "127.0.0.1:0", "--allow-address", "127.0.0.1", "--log-format", "json")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.logs = func() string {
		text, _ := os.ReadFile(log.Name())
		return string(text)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("kube-trigger run: %v\n%s", err, a.logs())
		}
	})
	started := `"msg":"watching"`
	if strings.HasSuffix(folder, "clean-up") { // a schedule watches nothing
		started = `"msg":"Engine started"`
	}
	a.waitForLog(t, started)
}

// startDefinitions applies the Definitions and the TriggerService of an example.
func (a *ownAction) startDefinitions(t *testing.T, folder string, adapt *strings.Replacer) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "service.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	a.apply(t, strings.Replace(adapt.Replace(string(text)), "spec:\n  triggers:", "spec:\n  worker: {template: loopback}\n  triggers:", 1))
	a.logs = func() string { return a.node.Logs(a.namespace) }
	a.waitForReady(t, a.namespace, filepath.Base(folder))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(a.logs())
		}
	})
}

// waitForLog waits until the log contains text.
func (a *ownAction) waitForLog(t *testing.T, text string) {
	t.Helper()
	a.waitFor(t, "log with "+text, func() string { return a.logs() }, text)
}

// waitFor waits until get returns a text that contains want.
func (a *ownAction) waitFor(t *testing.T, what string, get func() string, want string) {
	t.Helper()
	cluster.Eventually(t, what, func(context.Context) error {
		if got := get(); !strings.Contains(got, want) {
			return fmt.Errorf("got %q, want %q in it", got, want)
		}
		return nil
	})
}

// object reads an object of the test's namespace.
func (a *ownAction) object(t *testing.T, apiVersion, kind, name string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	if err := client.IgnoreNotFound(a.admin.Get(t.Context(), types.NamespacedName{Namespace: a.namespace, Name: name}, o)); err != nil {
		t.Fatal(err)
	}
	return o
}

// setStatus merges a status, in JSON, into that of an object of the test's namespace.
func (a *ownAction) setStatus(t *testing.T, apiVersion, kind, name, status string) {
	t.Helper()
	o := a.object(t, apiVersion, kind, name)
	if err := a.admin.Status().Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(`{"status": `+status+`}`))); err != nil {
		t.Fatal(err)
	}
}
