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

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"controlplane/internal/lock"
)

// controlplane is the path of the controlplane program.
type controlplane string

func buildProgram(t *testing.T) controlplane {
	t.Helper()
	path := filepath.Join(t.TempDir(), "controlplane")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return controlplane(path)
}

func (c controlplane) run(t *testing.T, args ...string) string {
	t.Helper()
	// t.Context ends before clean-up functions run.
	out, err := exec.CommandContext(context.Background(), string(c), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestBackground_UpDown(t *testing.T) {
	program := buildProgram(t)
	b := background{dir: filepath.Join(t.TempDir(), ".cluster")}
	crds := t.TempDir()
	if err := os.WriteFile(filepath.Join(crds, "widgets.yaml"), []byte(widgets), 0o644); err != nil {
		t.Fatal(err)
	}
	up := []string{"up", "-dir", b.dir, "-crds", crds + "," + filepath.Join(crds, "absent")}
	down := []string{"down", "-dir", b.dir}
	t.Cleanup(func() { program.run(t, down...) })

	if out := program.run(t, up...); !strings.Contains(out, "cluster is up") || !strings.Contains(out, b.path("kubeconfig")) {
		t.Errorf("first up: got %q, want cluster is up and the kubeconfig", out)
	}
	wantCRD(t, b)
	if out := program.run(t, up...); !strings.Contains(out, "already up") {
		t.Errorf("second up: got %q, want already up", out)
	}

	if err := syscall.Kill(supervisor(t, b), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	released, err := lock.Acquire(t.Context(), b.path(lockName), func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := released.Release(); err != nil {
		t.Fatal(err)
	}
	if out := program.run(t, up...); strings.Contains(out, "already up") {
		t.Errorf("up after a crash: got %q, want a new cluster", out)
	}
	wantCRD(t, b)

	program.run(t, down...)
	if _, err := os.Stat(b.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder after down: got %v, want not found", err)
	}
	if out := program.run(t, down...); !strings.Contains(out, "No cluster") {
		t.Errorf("second down: got %q, want No cluster", out)
	}
}

const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object}
`

func supervisor(t *testing.T, b background) int {
	t.Helper()
	text, err := os.ReadFile(b.path("pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// wantCRD checks that the API server serves the CRD widgets.
func wantCRD(t *testing.T, b background) {
	t.Helper()
	api, err := connect(b.path("kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	defer api.http.CloseIdleConnections()
	if err := api.established(t.Context(), "widgets.example.com"); err != nil {
		t.Errorf("wait for CRD widgets: %v", err)
	}
}
