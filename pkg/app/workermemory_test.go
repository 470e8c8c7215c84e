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

// TestWorker_Memory limits the private memory of the worker of a namespace, with 1 and with 50
// TriggerServices that have nothing to do. The program is built as it is released: this
// process and the race detector take more.
func TestWorker_Memory(t *testing.T) {
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
	file, err := program.Build(t.Context(), t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	logFile := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	worker := exec.CommandContext(t.Context(), file, "run", "--kubeconfig="+e.Kubeconfig,
		"--worker-namespace="+e.namespace, "--controller-key="+acceptance.FormatKey(e.key))
	worker.Stdout, worker.Stderr = log, log
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ services, limit int }{{1, 18}, {50, 90}} {
		create(tt.services)
		eventually(t, fmt.Sprintf("%d engines", tt.services), func() bool {
			text, err := os.ReadFile(logFile)
			return err == nil && strings.Count(string(text), "Engine started") >= tt.services
		})
		var private int
		// It returns memory to the system after a while without work.
		eventually(t, fmt.Sprintf("at most %d MiB with %d TriggerServices", tt.limit, tt.services), func() bool {
			private = privateMemory(t, worker.Process.Pid)
			return private <= tt.limit
		})
		t.Logf("%d TriggerServices: %d MiB of private memory", tt.services, private)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = worker.Wait() // it was killed
}

// privateMemory returns the memory of a process that is not backed by a file, in MiB.
func privateMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
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
