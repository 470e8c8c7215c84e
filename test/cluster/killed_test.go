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

// asVictim has this test binary start a cluster, print its state, and wait.
const asVictim = "KUBE_TRIGGER_TEST_VICTIM"

func TestStart_KilledProcess(t *testing.T) {
	if os.Getenv(asVictim) != "" {
		c := Start(t, WithControllerManager())
		if err := json.NewEncoder(os.Stdout).Encode(c.supervisor.state); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	victim.Env = append(os.Environ(), asVictim+"=1")
	victim.Stderr = os.Stderr
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var has state
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err := errors.Join(err, json.Unmarshal(line, &has)); err != nil {
		t.Fatalf("got output %q: %v", line, err)
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if pid := has.PIDs[name]; pid == 0 || !alive(pid) {
			t.Fatalf("%s is not running before the kill: pid %d", name, pid)
		}
	}
	if _, err := os.Stat(filepath.Join(has.Dir, "kubeconfig")); err != nil {
		t.Fatal(err)
	}

	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := victim.Wait(); err == nil {
		t.Fatal("the victim succeeded, want it killed")
	}
	deadline := time.Now().Add(time.Minute)
	for {
		left := remaining(has)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v remain a minute after the kill", left)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// remaining returns the processes and files of a cluster that still exist.
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
