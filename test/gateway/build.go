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

package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// program is the main package of cluster-gateway.
const program = "github.com/oam-dev/cluster-gateway/cmd/apiserver"

// build returns the path of a binary of cluster-gateway, in the version of
// test/kubevela/go.mod. It builds the binary unless it is in the user's cache directory.
func build(ctx context.Context) (string, error) {
	dir, err := moduleDir()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "list", "-f", "{{.Module.Version}}", program)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	version, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find version of cluster-gateway: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build cluster-gateway: %w", err)
	}
	path := filepath.Join(cache, "kube-trigger", "gateway", string(version[:len(version)-1]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// The rename is atomic. Processes that build concurrently do not disturb each other.
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	cmd = exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", temporary, program)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cluster-gateway: %w\n%s", err, out)
	}
	return path, os.Rename(temporary, path)
}

// moduleDir returns the path of test/kubevela in the clone that contains the working
// directory.
func moduleDir() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		module := filepath.Join(dir, "test", "kubevela")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
	}
	return "", errors.New(wd + " is not inside a clone of kube-trigger")
}
