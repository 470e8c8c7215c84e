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

// module is KubeVela's, as test/kubevela pins it.
type module struct {
	Version string
	// Dir is its source.
	Dir string

	// pin is the folder of test/kubevela.
	pin string
}

// programs are the paths of what is built of it.
type programs struct{ core, cli string }

// find downloads the module, unless it is there.
func find(ctx context.Context) (module, error) {
	pin, err := pinned()
	if err != nil {
		return module{}, err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "github.com/oam-dev/kubevela")
	cmd.Dir, cmd.Env = pin, append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return module{}, fmt.Errorf("download KubeVela's module: %w\n%s", err, out)
	}
	m := module{pin: pin}
	if err := json.Unmarshal(out, &m); err != nil {
		return module{}, fmt.Errorf("download KubeVela's module: %w", err)
	}
	return m, nil
}

// pinned returns test/kubevela of the clone that the working directory is in.
func pinned() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		pin := filepath.Join(dir, "test", "kubevela")
		if _, err := os.Stat(filepath.Join(pin, "go.mod")); err == nil {
			return pin, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a clone of kube-trigger", wd)
		}
	}
}

// build builds the programs, unless they are in the cache.
func (m module) build(ctx context.Context) (programs, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return programs{}, fmt.Errorf("build KubeVela: %w", err)
	}
	dir := filepath.Join(cache, "kube-trigger", "kubevela", fmt.Sprintf("%s-%s-%s", m.Version, runtime.GOOS, runtime.GOARCH))
	p := programs{core: filepath.Join(dir, "core"), cli: filepath.Join(dir, "cli")}
	if _, err := os.Stat(dir); err == nil {
		return p, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return programs{}, fmt.Errorf("build KubeVela: %w", err)
	}
	// Whoever sees the folder sees all of it, also if two build at once.
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "build-")
	if err != nil {
		return programs{}, fmt.Errorf("build KubeVela: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath",
		"-ldflags", "-s -w -X github.com/oam-dev/kubevela/version.VelaVersion="+m.Version, "-o", fresh+string(filepath.Separator),
		"github.com/oam-dev/kubevela/cmd/core", "github.com/oam-dev/kubevela/references/cmd/cli")
	cmd.Dir, cmd.Env = m.pin, append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return programs{}, errors.Join(fmt.Errorf("build KubeVela: %w\n%s", err, out), os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, dir); err != nil {
		// Another build was first, and its folder is not replaced.
		return p, errors.Join(ignoreExist(err), os.RemoveAll(fresh))
	}
	return p, nil
}

func ignoreExist(err error) error {
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}
