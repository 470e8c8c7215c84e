//go:build linux

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

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Kill sends SIGKILL to the containers of a pod. The kubelet restarts them.
func (n *Node) Kill(t testing.TB, pod *corev1.Pod) {
	t.Helper()
	for _, c := range pod.Status.ContainerStatuses {
		n.ctr(t, "tasks", "kill", "--signal", "SIGKILL", strings.TrimPrefix(c.ContainerID, "containerd://"))
	}
}

// checkLogs fails the test if a container has crashed, according to its log. It prints the
// ends of all logs if the test has failed.
func (n *Node) checkLogs(t testing.TB) {
	t.Helper()
	logs, err := filepath.Glob(n.path("host/var/log/pods/*/*/*.log"))
	if err != nil {
		t.Error(err)
	}
	for _, log := range logs {
		text := readLog(log)
		for _, crash := range []string{"panic:", "fatal error:"} {
			if strings.Contains(text, crash) {
				t.Errorf("log %s contains %q", log, crash)
			}
		}
	}
	if !t.Failed() {
		return
	}
	for _, log := range append(logs, n.path("containerd.log"), n.path("kubelet.log"), n.path("kube-scheduler.log")) {
		text := readLog(log)
		t.Logf("%s:\n%s", log, text[max(0, len(text)-6000):])
	}
}

// readLog returns the content of a file, or the error.
func readLog(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
