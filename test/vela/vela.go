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

// Package vela runs vela-core, the vela CLI and the controller of WorkflowRuns for tests,
// on a control plane of test/cluster.
//
// The modules test/kubevela and test/workflow require the versions of the programs. The
// first build takes minutes; later runs use the cache, in the user's cache directory. The
// environment variables of `make e2e-lines` give another KubeVela.
// Tests of this package have the build constraint "kubevela".
package vela

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/test/cluster"
	"github.com/kubevela/kube-trigger/test/gateway"
)

// Namespace is KubeVela's system namespace. Its definitions are available in all
// namespaces.
const Namespace = "vela-system"

// KubeVela is a cluster with vela-core, KubeVela's CRDs and its default definitions.
type KubeVela struct {
	*cluster.Cluster
	// Client has administrator rights.
	Client client.Client

	line line
	home string // HOME of all programs
}

// Option configures KubeVela.
type Option func(*options)

type options struct{ authentication, gateway, singleStage bool }

// WithAuthentication has the webhook of vela-core record who writes an Application, and
// vela-core deploy it with the rights of that user.
func WithAuthentication() Option { return func(o *options) { o.authentication = true } }

// WithClusterGateway runs a real cluster-gateway, through which vela-core deploys to the
// clusters that are joined.
func WithClusterGateway() Option { return func(o *options) { o.gateway = true } }

// WithSingleStage has vela-core apply a component and its traits at once: without the feature
// gate MultiStageComponentApply, which KubeVela's chart sets.
func WithSingleStage() Option { return func(o *options) { o.singleStage = true } }

// Start starts KubeVela in a new cluster. Both run until the test ends.
func Start(t *testing.T, opts ...Option) *KubeVela {
	t.Helper()
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	l, err := kubeVelaLine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.Start(t, cluster.Own(), cluster.WithControllerManager())
	admin, err := client.New(c.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := &KubeVela{Cluster: c, Client: admin, line: l, home: t.TempDir()}
	k.install(t)
	k.createVersionDeployment(t)
	gates := features
	if o.singleStage {
		gates = strings.Replace(gates, "MultiStageComponentApply=true", "MultiStageComponentApply=false", 1)
	}
	var args []string
	if o.gateway {
		gateway.Start(t, c)
		args = append(args, "--enable-cluster-gateway")
	}
	if !o.authentication {
		k.run(t, l.core, gates, args...)
		return k
	}
	w := newWebhook(t)
	k.run(t, l.core, gates, append(args, w.args...)...)
	w.register(t, k)
	return k
}

// Vela runs the vela CLI and returns its output. An error fails the test.
func (k *KubeVela) Vela(t *testing.T, args ...string) string {
	t.Helper()
	out, err := k.TryVela(t, args...)
	if err != nil {
		t.Fatalf("vela %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// TryVela is like Vela. It returns the error of a failed command with its output.
func (k *KubeVela) TryVela(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return runCLI(t, "", k.line.cli, k.home, k.Kubeconfig, args)
}

// VelaUntil runs the vela CLI until its output contains want, and stops it. It fails the test
// if the command ends before that, or takes longer than a minute.
func (k *KubeVela) VelaUntil(t *testing.T, want string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, "", k.line.cli, k.home, k.Kubeconfig, args)
	out := &expectation{want: want, found: cancel}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); !strings.Contains(out.text.String(), want) {
		t.Errorf("vela %s: got error %v and output\n%s\nwant %q", strings.Join(args, " "), err, &out.text, want)
	}
}

// expectation is a writer that calls found when want has been written.
type expectation struct {
	want  string
	found func()
	text  strings.Builder
}

func (e *expectation) Write(p []byte) (int, error) {
	e.text.Write(p)
	if strings.Contains(e.text.String(), e.want) {
		e.found()
	}
	return len(p), nil
}

// CLI returns the path of the vela CLI.
func (k *KubeVela) CLI() string { return k.line.cli }

// TryShellIn runs a command line of a shell, in which vela is the vela CLI, in the working
// directory dir. It returns the error of a failed command with its output.
func (k *KubeVela) TryShellIn(t *testing.T, dir, line string) (string, error) {
	t.Helper()
	const script = `vela() { "$0" "$@"; }; eval "$1"`
	return runCLI(t, dir, "sh", k.home, k.Kubeconfig, []string{"-c", script, k.line.cli, line})
}

// Offline runs the vela CLI without a cluster. It returns the error of a failed command
// with its output.
func Offline(t *testing.T, args ...string) (string, error) {
	t.Helper()
	l, err := kubeVelaLine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	return runCLI(t, "", l.cli, home, filepath.Join(home, "none"), args)
}

// runCLI returns the output of a command, and its error if the exit code is not 0. Other
// errors fail the test.
func runCLI(t *testing.T, dir, program, home, kubeconfig string, args []string) (string, error) {
	t.Helper()
	out, err := command(t.Context(), dir, program, home, kubeconfig, args).CombinedOutput()
	if exit := (&exec.ExitError{}); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), err
}

// command returns a command that uses a kubeconfig and a home directory.
func command(ctx context.Context, dir, program, home, kubeconfig string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+home, "VELA_HOME="+filepath.Join(home, ".vela"), "KUBECONFIG="+kubeconfig)
	return cmd
}
