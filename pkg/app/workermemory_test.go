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
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kubevela/kube-trigger/pkg/acceptance"
	"github.com/kubevela/kube-trigger/pkg/trigger"
	"github.com/kubevela/kube-trigger/test/program"
)

const (
	// maxProgramSize is the size of the program of an image, which is 68 MB on amd64, with a margin for
	// newer versions of dependencies.
	maxProgramSize = 71_000_000
	// maxIdleMemory is the private memory of an idle process with one trigger, in MiB. It has 9 to 12.
	maxIdleMemory = 18
)

// TestProgram_Footprint limits the size and the private memory of the program as an image has it: this
// process and the race detector take more.
func TestProgram_Footprint(t *testing.T) {
	file, err := program.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Size", func(t *testing.T) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > maxProgramSize {
			t.Errorf("%d bytes, more than %d: see which package a new import adds, with go version -m and go tool nm -size", info.Size(), maxProgramSize)
		}
	})
	t.Run("Config", func(t *testing.T) { testConfigMemory(t, file) })
	t.Run("Worker", func(t *testing.T) { testWorkerMemory(t, file) })
}

// testConfigMemory limits the memory of a process that runs the trigger of a file.
func testConfigMemory(t *testing.T, file string) {
	e := newEnv(t)
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf(`
triggers:
- name: bump
  source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}
  filter: context.data.metadata.name == "web"
  action: {type: bump-application-revision, properties: {namespace: %[1]s}}
`, e.namespace)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, file, "run", "--kubeconfig="+e.Kubeconfig, "--config="+config, "--store="+filepath.Join(t.TempDir(), "store"))
	p.waitForEngines(t, 1)
	p.waitForMemory(t, "one trigger", maxIdleMemory)
}

// testWorkerMemory limits the memory of the worker of a namespace, with 1 and with 50
// TriggerServices that have nothing to do.
func testWorkerMemory(t *testing.T, file string) {
	e := newEnv(t)
	e.installCRDs(t)
	e.createAccount(t)
	created := 0
	create := func(n int) {
		for ; created < n; created++ {
			name := fmt.Sprintf("s%d", created)
			spec := fmt.Sprintf(`
triggers:
  - name: bump
    source: {type: resource-watcher, properties: {apiVersion: v1, kind: ConfigMap, namespace: %[1]s, events: [update]}}
    filter: context.data.metadata.labels["trigger.oam.dev/application"] != _|_
    action: {type: bump-application-revision, properties: {namespace: %[1]s, nameSelector: {fromLabel: trigger.oam.dev/application}}}`, e.namespace)
			if err := e.createService(t, name, spec); err != nil {
				t.Fatal(err)
			}
			if err := e.assign(t, name, trigger.NamespaceWorker, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	create(1)
	worker := startProgram(t, file, "run", "--kubeconfig="+e.Kubeconfig,
		"--worker-namespace="+e.namespace, "--controller-key="+acceptance.FormatKey(e.key))
	for _, tt := range []struct{ services, limit int }{{1, maxIdleMemory}, {50, 90}} {
		create(tt.services)
		worker.waitForEngines(t, tt.services)
		worker.waitForMemory(t, fmt.Sprintf("%d TriggerServices", tt.services), tt.limit)
	}
}

// runningProgram is a process of the program.
type runningProgram struct{ pid, log string }

// startProgram starts the program in file, and kills it when the test ends.
func startProgram(t *testing.T, file string, args ...string) runningProgram {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(t.Context(), file, args...) //nolint:gosec // own program
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error means that it has ended
		_ = cmd.Wait()         // it was killed
	})
	return runningProgram{strconv.Itoa(cmd.Process.Pid), path}
}

// waitForEngines waits until that many engines have started.
func (p runningProgram) waitForEngines(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d engines", n), func() bool {
		text, err := os.ReadFile(p.log)
		return err == nil && strings.Count(string(text), "Engine started") >= n
	})
}

// waitForMemory waits until the private memory is at most limit, in MiB: the program returns memory to
// the system after a while without work.
func (p runningProgram) waitForMemory(t *testing.T, of string, limit int) {
	t.Helper()
	var private int
	eventually(t, fmt.Sprintf("at most %d MiB with %s", limit, of), func() bool {
		private = privateMemory(t, p.pid)
		return private <= limit
	})
	t.Logf("%s: %d MiB of private memory", of, private)
}

// privateMemory returns the memory of a process that is not backed by a file, in MiB.
func privateMemory(t *testing.T, pid string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if os.IsNotExist(err) {
		t.Skip("needs Linux")
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "Private_Dirty:" {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return n / 1024
		}
	}
	t.Fatal("smaps_rollup has no Private_Dirty")
	return 0
}
