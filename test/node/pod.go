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

// Kill kills the containers of a pod, which are then restarted.
func (n *Node) Kill(t testing.TB, pod *corev1.Pod) {
	t.Helper()
	for _, c := range pod.Status.ContainerStatuses {
		n.ctr(t, "tasks", "kill", "--signal", "SIGKILL", strings.TrimPrefix(c.ContainerID, "containerd://"))
	}
}

// inspect checks the logs for crashes, and prints all logs of a failed test.
func (n *Node) inspect(t testing.TB) {
	t.Helper()
	logs, err := filepath.Glob(n.path("host/var/log/pods/*/*/*.log"))
	if err != nil {
		t.Error(err)
	}
	for _, log := range logs {
		text := read(log)
		for _, bad := range []string{"panic:", "fatal error:"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s contains %q", log, bad)
			}
		}
	}
	if !t.Failed() {
		return
	}
	for _, log := range append(logs, n.path("containerd.log"), n.path("kubelet.log"), n.path("kube-scheduler.log")) {
		text := read(log)
		t.Logf("%s:\n%s", log, text[max(0, len(text)-6000):])
	}
}

func read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
