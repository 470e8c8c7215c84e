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

// Package node runs a node for tests: kubelet and containerd run the pods of a cluster of
// test/cluster, and kube-scheduler schedules them.
//
// The node has its own process, mount and network namespaces. Its pods reach the API
// server and each other, and nothing else. The node ends with the test process and
// leaves no files behind. It requires Linux, root and the programs that Require checks.
package node

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubevela/kube-trigger/test/cluster"
)

// Waiting is an image that every node has. Its container waits for SIGTERM.
const Waiting = "localhost/kube-trigger/waiting:test"

// apiServer is the address of the API server for pods: the first address of Services.
const apiServer = "10.96.0.1:443"

// machine has the configuration of the node's programs and the scripts that run them.
//
//go:embed machine
var machine embed.FS

// Node runs pods.
type Node struct {
	dir string
}

// Require skips the test if a node cannot run on this machine.
func Require(t testing.TB) {
	t.Helper()
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root")
	}
	for _, program := range []string{"containerd", "ctr", "runc", "buildah", "ip", "unshare", "mountpoint"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if _, err := os.Stat("/usr/lib/cni/bridge"); err != nil {
		missing = append(missing, "/usr/lib/cni/bridge")
	}
	if len(missing) > 0 {
		t.Skipf("skipped: no pods run here, since a node needs %s; `make node-tools`, as root on Debian, installs programs", strings.Join(missing, ", "))
	}
}

// Start runs a node of c until the test ends. c must have a controller manager.
func Start(t testing.TB, c *cluster.Cluster) *Node {
	t.Helper()
	Require(t)
	scheduler, kubelet, err := cluster.NodePrograms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The path of t.TempDir may be too long for sockets.
	dir, err := os.MkdirTemp("", "kube-trigger-node-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{dir: dir}
	if err := errors.Join(n.unpack(), n.kubeconfig(c)); err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	waiting := n.buildWaiting(t)
	n.run(t, c, scheduler, kubelet)
	n.Import(t, waiting)
	return n
}

func (n *Node) path(name string) string { return filepath.Join(n.dir, name) }

func (n *Node) unpack() error {
	files, err := fs.Sub(machine, "machine")
	if err != nil {
		return err
	}
	return os.CopyFS(n.dir, files)
}

// kubeconfig writes an administrator's kubeconfig for the node's network.
func (n *Node) kubeconfig(c *cluster.Cluster) error {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return err
	}
	for _, known := range config.Clusters {
		known.Server = "https://" + apiServer
	}
	return clientcmd.WriteToFile(*config, n.path("kubeconfig"))
}

// run runs the node until the test ends, and waits until containerd serves.
func (n *Node) run(t testing.TB, c *cluster.Cluster, scheduler, kubelet string) {
	t.Helper()
	cmd := exec.Command("sh", n.path("run.sh"), n.dir, filepath.Base(n.dir), scheduler, kubelet) //nolint:gosec,noctx // own program, which ends with its stdin
	// Ctrl-C ends the test, which ends the node.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(n.dir)))
	}
	t.Cleanup(func() {
		n.inspect(t)
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("end node: %v", err)
		}
	})
	output := bufio.NewReader(stdout)
	var pid int
	if _, err := fmt.Fscanln(output, &pid); err != nil {
		t.Fatalf("start node: %v", err)
	}
	n.expect(t, output, "network")
	relay(t, pid, strings.TrimPrefix(c.Config.Host, "https://"))
	n.expect(t, output, "containerd")
}

// expect reads one line of output of the scripts.
func (n *Node) expect(t testing.TB, output *bufio.Reader, want string) {
	t.Helper()
	line, err := output.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = errors.New("the script ended")
	}
	if got := strings.TrimSpace(line); err != nil || got != want {
		t.Fatalf("start node: %v, %q; want %q", err, got, want)
	}
}
