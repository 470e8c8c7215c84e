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

// Package node runs a node for tests: kube-scheduler, kubelet and containerd run the pods of
// a cluster of test/cluster.
//
// The node has its own process, mount and network namespaces. Its pods can connect to the
// API server and to each other only. When the test process ends, the node's processes end
// and its files are removed. A node requires Linux, root and the programs that Require
// checks.
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

// PauseImage is the name of an image that every node has. Its program waits for SIGTERM.
const PauseImage = "localhost/kube-trigger/pause:test"

// apiServer is the address of the API server in the node's network: the ClusterIP and port
// of the Service kubernetes.
const apiServer = "10.96.0.1:443"

// machine contains the configuration files of the node's programs, and the scripts that
// start them.
//
//go:embed machine
var machine embed.FS

// Node is a running node.
type Node struct {
	// dir is the folder of the node's files.
	dir string
}

// Require skips the test if this machine does not meet the requirements of a node.
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
		t.Skipf("a node requires %s; on Debian, `make node-tools` as root installs the programs", strings.Join(missing, ", "))
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
	// The path of t.TempDir may exceed the maximum length of socket paths.
	dir, err := os.MkdirTemp("", "kube-trigger-node-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{dir: dir}
	if err := errors.Join(n.unpack(), n.kubeconfig(c)); err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	pause := n.buildPauseImage(t)
	n.run(t, c, scheduler, kubelet)
	n.Import(t, pause)
	return n
}

// path returns the path of a file in the node's folder.
func (n *Node) path(name string) string { return filepath.Join(n.dir, name) }

// unpack writes the files of machine to the node's folder.
func (n *Node) unpack() error {
	files, err := fs.Sub(machine, "machine")
	if err != nil {
		return err
	}
	return os.CopyFS(n.dir, files)
}

// kubeconfig writes a kubeconfig with administrator rights for the node's programs.
func (n *Node) kubeconfig(c *cluster.Cluster) error {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return err
	}
	for _, c := range config.Clusters {
		c.Server = "https://" + apiServer
	}
	return clientcmd.WriteToFile(*config, n.path("kubeconfig"))
}

// run starts the node, and waits until containerd responds. The node runs until the test
// ends.
func (n *Node) run(t testing.TB, c *cluster.Cluster, scheduler, kubelet string) {
	t.Helper()
	cmd := exec.Command("sh", n.path("run.sh"), n.dir, filepath.Base(n.dir), scheduler, kubelet) //nolint:gosec,noctx // own program, which ends with its stdin
	// With its own process group, the node receives no SIGINT from Ctrl-C. It ends when the
	// test closes stdin.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(n.dir)))
	}
	t.Cleanup(func() {
		n.checkLogs(t)
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("stop node: %v", err)
		}
	})
	output := bufio.NewReader(stdout)
	var pid int
	if _, err := fmt.Fscanln(output, &pid); err != nil {
		t.Fatalf("start node: %v", err)
	}
	n.expectLine(t, output, "network")
	relay(t, pid, strings.TrimPrefix(c.Config.Host, "https://"))
	n.expectLine(t, output, "containerd")
}

// expectLine reads a line of the output of run.sh, and fails the test if it is not want.
func (n *Node) expectLine(t testing.TB, output *bufio.Reader, want string) {
	t.Helper()
	line, err := output.ReadString('\n')
	if errors.Is(err, io.EOF) {
		err = errors.New("run.sh has ended")
	}
	if got := strings.TrimSpace(line); err != nil || got != want {
		t.Fatalf("start node: got output %q and error %v, want output %q", got, err, want)
	}
}
