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

package cluster

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// childEnv is an environment variable. If it is set, TestStart_KilledProcess starts a
// cluster, prints its state, and blocks.
const childEnv = "KUBE_TRIGGER_TEST_CHILD"

func TestStart_KilledProcess(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		c := Start(t, WithControllerManager())
		if err := json.NewEncoder(os.Stdout).Encode(c.supervisor.state); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), childEnv+"=1")
	child.Stderr = os.Stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var s state
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err := errors.Join(err, json.Unmarshal(line, &s)); err != nil {
		t.Fatalf("output %q: %v", line, err)
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if pid := s.PIDs[name]; pid == 0 || !alive(pid) {
			t.Fatalf("%s with pid %d is not running before the kill", name, pid)
		}
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "kubeconfig")); err != nil {
		t.Fatal(err)
	}

	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("got exit code 0, want killed")
	}
	deadline := time.Now().Add(WaitTimeout)
	for {
		names := remaining(s)
		if len(names) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("wait for clean-up: %v still exist %s after the kill", names, WaitTimeout)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// remaining returns the names of the processes and files of a cluster that still exist.
func remaining(s state) (names []string) {
	for name, pid := range s.PIDs {
		if alive(pid) {
			names = append(names, name)
		}
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		names = append(names, s.Dir)
	}
	return names
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
