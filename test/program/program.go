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

// Package program builds kube-trigger for tests that run it as a process.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
)

// RaceEnabled reports whether the race detector is enabled in this process.
func RaceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Build builds kube-trigger in the folder dir, with the race detector or as the image has it,
// and returns the path of the binary.
func Build(ctx context.Context, dir string, race bool) (string, error) {
	file := filepath.Join(dir, "kube-trigger")
	//nolint:gosec // own program
	build := exec.CommandContext(ctx, "go", "build", fmt.Sprintf("-race=%t", race), "-ldflags", "-s -w", "-o", file, "github.com/kubevela/kube-trigger/cmd/kube-trigger")
	if !race {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
}
