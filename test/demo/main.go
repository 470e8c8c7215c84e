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

// Command demo starts a control plane and kube-trigger, edits a ConfigMap, and prints the
// new publishVersion of the Application that the ConfigMap's label names. It exits with 1 on
// any failure.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/oam-dev/kubevela-core-api/apis/core.oam.dev/v1beta1"
	"github.com/oam-dev/kubevela-core-api/pkg/oam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kubevela/kube-trigger/test/cluster"
)

const (
	config      = "examples/bump-application/config.yaml"
	label       = "trigger.oam.dev/application"
	version     = oam.AnnotationPublishVersion
	namespace   = "default"
	waitTimeout = 30 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	printStep("Building kube-trigger. The first time this takes some minutes.")
	dir, err := os.MkdirTemp("", "kube-trigger-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary := filepath.Join(dir, "kube-trigger")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/kube-trigger")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}

	printStep("Starting a control plane: etcd and kube-apiserver, with KubeVela's Application.")
	c, err := cluster.New(ctx, cluster.WithKubeVelaCRDs())
	if err != nil {
		return err
	}
	defer func() {
		printStep("Stopping the control plane.")
		err = errors.Join(err, c.Close())
	}()
	client, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		return err
	}
	d := demo{client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(namespace),
		client.Resource(v1beta1.SchemeGroupVersion.WithResource("applications")).Namespace(namespace)}

	printStep("Creating the Applications web and db, the ConfigMap web-settings, which names\nweb in its label %s, and the ConfigMap unrelated.", label)
	if err := d.create(ctx); err != nil {
		return err
	}

	printStep("Running: kube-trigger run -c %s\n", config)
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	fmt.Println(indent(string(text)))
	proc, err := start(ctx, binary, c.Kubeconfig)
	if err != nil {
		return err
	}
	defer func() {
		printStep("Stopping kube-trigger.")
		err = errors.Join(err, proc.stop())
	}()
	return d.run(ctx)
}

// demo is the ConfigMaps that the demo edits, and the Applications that it watches.
type demo struct{ configMaps, applications dynamic.ResourceInterface }

// create creates the Applications and ConfigMaps.
func (d demo) create(ctx context.Context) error {
	for _, name := range []string{"web", "db"} {
		app := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": v1beta1.SchemeGroupVersion.String(), "kind": v1beta1.ApplicationKind,
			"metadata": map[string]any{"name": name, "annotations": map[string]any{version: "1"}},
			"spec":     map[string]any{"components": []any{}},
		}}
		if _, err := d.applications.Create(ctx, app, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for name, labels := range map[string]map[string]any{"web-settings": {label: "web"}, "unrelated": {}} {
		cm := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": name, "labels": labels},
			"data":     map[string]any{"color": "blue"},
		}}
		if _, err := d.configMaps.Create(ctx, cm, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// run edits the ConfigMaps, and prints the publishVersions of the Applications. An
// unexpected publishVersion is an error.
func (d demo) run(ctx context.Context) error {
	if err := d.edit(ctx, "web-settings", "green"); err != nil {
		return err
	}
	if err := d.waitForVersion(ctx, "web", "2"); err != nil {
		return err
	}
	printStep("Edited web-settings.  web: publishVersion: 1 → 2")
	if err := d.edit(ctx, "unrelated", "red"); err != nil {
		return err
	}
	// The unrelated edit precedes this one: when the action of this one has run, the
	// unrelated edit has been handled too.
	if err := d.edit(ctx, "web-settings", "yellow"); err != nil {
		return err
	}
	if err := d.waitForVersion(ctx, "web", "3"); err != nil {
		return err
	}
	db, err := d.version(ctx, "db")
	if err != nil {
		return err
	}
	if db != "1" {
		return fmt.Errorf("publishVersion of db after an edit of an unrelated ConfigMap: got %s, want 1", db)
	}
	printStep("Edited unrelated.     No Application changed.  db: publishVersion: 1")
	printStep("Edited web-settings.  web: publishVersion: 2 → 3")
	return nil
}

func (d demo) edit(ctx context.Context, name, color string) error {
	patch := fmt.Sprintf(`{"data":{"color":%q}}`, color)
	_, err := d.configMaps.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// version returns the publishVersion of an Application.
func (d demo) version(ctx context.Context, app string) (string, error) {
	u, err := d.applications.Get(ctx, app, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return u.GetAnnotations()[version], nil
}

// waitForVersion waits until the publishVersion of an Application is want.
func (d demo) waitForVersion(ctx context.Context, app, want string) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	for {
		got, err := d.version(ctx, app)
		if err != nil {
			return fmt.Errorf("wait for publishVersion of %s: %w", app, err)
		}
		if got == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for publishVersion of %s: got %s, want %s, after %s", app, got, want, waitTimeout)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// process is a kube-trigger process.
type process struct {
	cmd   *exec.Cmd
	ended chan error
}

// start runs kube-trigger, and waits until it watches.
func start(ctx context.Context, binary, kubeconfig string) (*process, error) {
	cmd := exec.Command(binary, "run", "-c", config, "--kubeconfig", kubeconfig, "--store", "none") //nolint:noctx // terminated, not killed
	output, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	watching := make(chan struct{}, 1)
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			fmt.Println("    " + lines.Text())
			if strings.Contains(lines.Text(), `msg=watching`) {
				watching <- struct{}{}
			}
		}
		p.ended <- cmd.Wait()
	}()
	select {
	case <-watching:
		return p, nil
	case err := <-p.ended:
		return nil, fmt.Errorf("wait for msg=watching: kube-trigger ended: %w", err)
	case <-time.After(waitTimeout):
		err = errors.New("wait for msg=watching: timed out")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, p.stop())
}

// stop terminates the process and waits until it has ended.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return <-p.ended
}

func printStep(format string, args ...any) { fmt.Printf("\n"+format+"\n", args...) }

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
