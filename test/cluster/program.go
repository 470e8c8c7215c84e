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

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// root returns the root of the repository that contains the working directory.
func root() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "test", "controlplane", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a clone of kube-trigger", wd)
		}
	}
}

// build returns the path of the program test/controlplane. It builds the program unless it
// is cached; the key of the cache is a hash of the sources.
func build(ctx context.Context) (string, error) {
	root, err := root()
	if err != nil {
		return "", fmt.Errorf("build test/controlplane: %w", err)
	}
	src := filepath.Join(root, "test", "controlplane")
	sum, err := hash(src)
	if err != nil {
		return "", fmt.Errorf("build test/controlplane: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build test/controlplane: %w", err)
	}
	program := filepath.Join(cache, "kube-trigger", "controlplane", "program-"+sum)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	// Processes may build concurrently: the rename replaces the program atomically.
	temp := fmt.Sprintf("%s.%d", program, os.Getpid())
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", temp, ".")
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build test/controlplane: %w\n%s", err, out)
	}
	return program, os.Rename(temp, program)
}

// hash returns a hash of a module's sources, go.mod and go.sum.
func hash(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !isSource(entry) {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		fmt.Fprintln(h, strings.TrimPrefix(path, dir))
		_, err = io.Copy(h, f)
		return errors.Join(err, f.Close())
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}

func isSource(entry fs.DirEntry) bool {
	name := entry.Name()
	isGo := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
	return entry.Type().IsRegular() && (isGo || name == "go.mod" || name == "go.sum")
}
