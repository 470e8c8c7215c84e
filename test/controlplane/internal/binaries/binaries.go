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

// Package binaries builds etcd, kube-apiserver and kube-controller-manager from
// their Go modules, and keeps them in the user's cache folder by version. A
// program that is in the cache is complete; builds that run at the same time
// wait for each other and share the result.
package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"controlplane/internal/lock"
)

// Set is where the programs are.
type Set struct{ Etcd, APIServer, ControllerManager string }

// Cache returns the folder that holds everything the test bed keeps between
// runs.
func Cache() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "kube-trigger", "controlplane"), err
}

// Ensure returns the programs that m asks for, and builds them where they are
// not in the cache yet. What it does is told on progress.
func Ensure(ctx context.Context, m Module, progress io.Writer) (_ Set, err error) {
	v, err := m.versions()
	if err != nil {
		return Set{}, err
	}
	cache, err := Cache()
	if err != nil {
		return Set{}, err
	}
	name := fmt.Sprintf("%s-%s-%s-%s", v.kubernetes, v.etcd, runtime.GOOS, runtime.GOARCH)
	dir := filepath.Join(cache, name)
	set := in(dir)
	if set.complete() {
		return set, nil
	}
	held, err := lock.Take(ctx, filepath.Join(cache, name+".lock"), func() {
		fmt.Fprintln(progress, "controlplane: another process is building etcd and Kubernetes; waiting for it")
	})
	if err != nil {
		return Set{}, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if set.complete() {
		return set, nil
	}
	return set, build(ctx, m, v, dir, progress)
}

func in(dir string) Set {
	return Set{
		Etcd:              filepath.Join(dir, "etcd"),
		APIServer:         filepath.Join(dir, "kube-apiserver"),
		ControllerManager: filepath.Join(dir, "kube-controller-manager"),
	}
}

func (s Set) complete() bool {
	for _, path := range []string{s.Etcd, s.APIServer, s.ControllerManager} {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}
