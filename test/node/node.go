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

// Package node gives tests a real node: kubelet and containerd run the pods of a
// cluster of test/cluster, and kube-scheduler gives them to it.
//
// The node has processes, mounts and a network of its own, in which pods reach
// the API server and each other, and nothing else. They end with the test
// process, however that ends, and leave nothing behind. It takes root and Linux,
// and programs that Require names.
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

// Waiting is an image that every node has, whose container waits until it is
// told to end.
const Waiting = "localhost/kube-trigger/waiting:test"

// apiServer is where pods reach the API server: at the first address of Services.
const apiServer = "10.96.0.1:443"

// machine is what the node's programs read, and the scripts that run them.
//
//go:embed machine
var machine embed.FS

// Node runs pods.
type Node struct {
	dir string
}

// Require skips the test with the reason if a node cannot run on this machine.
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

// Start runs a node of c until the test ends. Pods are started from when it
// returns. c has a controller manager.
func Start(t testing.TB, c *cluster.Cluster) *Node {
	t.Helper()
	Require(t)
	scheduler, kubelet, err := cluster.NodePrograms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Not the test's own, whose name may be too long for sockets.
	dir, err := os.MkdirTemp("", "kube-trigger-node-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{dir: dir}
	if err := errors.Join(n.unpack(), n.kubeconfig(c)); err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	waiting := n.waiting(t)
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

// kubeconfig has all rights, from within the node's network.
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

// run runs the node until the test ends, and returns when containerd serves.
func (n *Node) run(t testing.TB, c *cluster.Cluster, scheduler, kubelet string) {
	t.Helper()
	cmd := exec.Command("sh", n.path("run.sh"), n.dir, filepath.Base(n.dir), scheduler, kubelet) //nolint:gosec,noctx // ours; it ends with its stdin
	// Ctrl-C is for the test, with which it ends, too.
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
	said := bufio.NewReader(stdout)
	var pid int
	if _, err := fmt.Fscanln(said, &pid); err != nil {
		t.Fatalf("start node: %v", err)
	}
	n.expect(t, said, "network")
	relay(t, pid, strings.TrimPrefix(c.Config.Host, "https://"))
	n.expect(t, said, "containerd")
}

// expect reads a line of what the scripts say.
func (n *Node) expect(t testing.TB, said *bufio.Reader, want string) {
	t.Helper()
	line, err := said.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = errors.New("it ended")
	}
	if got := strings.TrimSpace(line); err != nil || got != want {
		t.Fatalf("start node: %v, %q; want %q", err, got, want)
	}
}
