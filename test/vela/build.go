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

// module is a downloaded module of the KubeVela project.
type module struct {
	Version string
	// Dir is the folder of the source code.
	Dir string

	// parent is the folder of the module in test that requires this module.
	parent string
}

// kubeVela returns the module of KubeVela.
func kubeVela(ctx context.Context) (module, error) {
	return download(ctx, "kubevela", "github.com/oam-dev/kubevela")
}

// download returns the module path, in the version that the module test/<folder> requires.
// It downloads the module unless it is cached.
func download(ctx context.Context, folder, path string) (module, error) {
	parent, err := testFolder(folder)
	if err != nil {
		return module{}, err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path)
	cmd.Dir, cmd.Env = parent, append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return module{}, fmt.Errorf("download %s: %w\n%s", path, err, out)
	}
	m := module{parent: parent}
	if err := json.Unmarshal(out, &m); err != nil {
		return module{}, fmt.Errorf("download %s: %w", path, err)
	}
	return m, nil
}

// testFolder returns the path of test/<folder> in the repository that contains the working
// directory.
func testFolder(folder string) (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "test", folder)
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a clone of kube-trigger", wd)
		}
	}
}

// build returns the folder of the programs in packages. It builds them unless they are
// cached, and sets the Go variable with the name variable to the module's version.
func (m module) build(ctx context.Context, variable string, packages ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build KubeVela: %w", err)
	}
	dir := filepath.Join(cache, "kube-trigger", filepath.Base(m.parent), fmt.Sprintf("%s-%s-%s", m.Version, runtime.GOOS, runtime.GOARCH))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("build KubeVela: %w", err)
	}
	// Processes may build concurrently: the rename creates the folder atomically.
	temp, err := os.MkdirTemp(filepath.Dir(dir), "build-")
	if err != nil {
		return "", fmt.Errorf("build KubeVela: %w", err)
	}
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w -X " + variable + "=" + m.Version, "-o", temp + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = m.parent, append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build KubeVela: %w\n%s", err, out), os.RemoveAll(temp))
	}
	if err := os.Rename(temp, dir); err != nil {
		// Another process has renamed its folder first.
		return dir, errors.Join(ignoreExist(err), os.RemoveAll(temp))
	}
	return dir, nil
}

func ignoreExist(err error) error {
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}
