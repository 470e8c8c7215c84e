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

package vela

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// module is a module of KubeVela that a folder of test pins.
type module struct {
	Version string
	// Dir is the folder of its source.
	Dir string

	// pin is the folder of test that pins it.
	pin string
}

// kubeVela returns the module of KubeVela itself.
func kubeVela(ctx context.Context) (module, error) {
	return find(ctx, "kubevela", "github.com/oam-dev/kubevela")
}

// programs are the paths of the built programs.
type programs struct{ core, cli string }

// find downloads the module at path that a folder of test pins, if necessary.
func find(ctx context.Context, folder, path string) (module, error) {
	pin, err := pinned(folder)
	if err != nil {
		return module{}, err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path)
	cmd.Dir, cmd.Env = pin, append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return module{}, fmt.Errorf("download %s: %w\n%s", path, err, out)
	}
	m := module{pin: pin}
	if err := json.Unmarshal(out, &m); err != nil {
		return module{}, fmt.Errorf("download %s: %w", path, err)
	}
	return m, nil
}

// pinned returns a folder of test in the clone that contains the working directory.
func pinned(folder string) (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		pin := filepath.Join(dir, "test", folder)
		if _, err := os.Stat(filepath.Join(pin, "go.mod")); err == nil {
			return pin, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a clone of kube-trigger", wd)
		}
	}
}

// programs builds vela-core and the vela command line.
func (m module) programs(ctx context.Context) (programs, error) {
	dir, err := m.build(ctx, "github.com/oam-dev/kubevela/version.VelaVersion",
		"github.com/oam-dev/kubevela/cmd/core", "github.com/oam-dev/kubevela/references/cmd/cli")
	return programs{core: filepath.Join(dir, "core"), cli: filepath.Join(dir, "cli")}, err
}

// build builds programs of the module, unless they are cached, and returns their folder.
// variable is the Go variable that is set to the version.
func (m module) build(ctx context.Context, variable string, packages ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build KubeVela: %w", err)
	}
	dir := filepath.Join(cache, "kube-trigger", filepath.Base(m.pin), fmt.Sprintf("%s-%s-%s", m.Version, runtime.GOOS, runtime.GOARCH))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("build KubeVela: %w", err)
	}
	// The rename is atomic, even if two processes build concurrently.
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "build-")
	if err != nil {
		return "", fmt.Errorf("build KubeVela: %w", err)
	}
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w -X " + variable + "=" + m.Version, "-o", fresh + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = m.pin, append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build KubeVela: %w\n%s", err, out), os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, dir); err != nil {
		// Another process has finished first. Its folder is not replaced.
		return dir, errors.Join(ignoreExist(err), os.RemoveAll(fresh))
	}
	return dir, nil
}

func ignoreExist(err error) error {
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}
