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

// Package binaries builds etcd and Kubernetes from their Go modules, and caches them by
// version in the user's cache directory. Concurrent builds wait for each other and share
// the result.
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

// Set is the paths of the programs of a control plane.
type Set struct{ Etcd, APIServer, ControllerManager string }

// Node is the paths of the programs of a node.
type Node struct{ Scheduler, Kubelet string }

// Cache returns the cache directory.
func Cache() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "kube-trigger", "controlplane"), err
}

// Ensure returns the programs of a control plane in the versions of m, and builds them
// unless they are cached. A build takes minutes, and is reported to progress.
func Ensure(ctx context.Context, m Module, progress io.Writer) (Set, error) {
	v, err := m.versions()
	if err != nil {
		return Set{}, err
	}
	dir, err := ensure(ctx, m, group{
		name:        v.kubernetes + "-" + v.etcd,
		description: fmt.Sprintf("etcd %s and Kubernetes %s", v.etcd, v.kubernetes),
		buildTime:   "6 minutes",
		programs: map[string]string{
			"etcd":                    "go.etcd.io/etcd/server/v3",
			"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
			"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
		},
	}, progress)
	return Set{
		Etcd:              filepath.Join(dir, "etcd"),
		APIServer:         filepath.Join(dir, "kube-apiserver"),
		ControllerManager: filepath.Join(dir, "kube-controller-manager"),
	}, err
}

// EnsureNode is like Ensure, for the programs of a node.
func EnsureNode(ctx context.Context, m Module, progress io.Writer) (Node, error) {
	v, err := m.versions()
	if err != nil {
		return Node{}, err
	}
	dir, err := ensure(ctx, m, group{
		name:        "node-" + v.kubernetes,
		description: "kube-scheduler and kubelet " + v.kubernetes,
		buildTime:   "3 minutes",
		programs: map[string]string{
			"kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
			"kubelet":        "k8s.io/kubernetes/cmd/kubelet",
		},
	}, progress)
	return Node{Scheduler: filepath.Join(dir, "kube-scheduler"), Kubelet: filepath.Join(dir, "kubelet")}, err
}

// group is programs that are built together.
type group struct {
	name        string            // of the folder, with versions
	description string            // in progress messages
	buildTime   string            // without caches, on 2 cores
	programs    map[string]string // packages by program
}

// ensure returns the folder with the programs of g, and builds them unless they are
// cached.
func ensure(ctx context.Context, m Module, g group, progress io.Writer) (_ string, err error) {
	cache, err := Cache()
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s-%s-%s", g.name, runtime.GOOS, runtime.GOARCH)
	dir := filepath.Join(cache, name)
	if g.complete(dir) {
		return dir, nil
	}
	held, err := lock.Acquire(ctx, filepath.Join(cache, name+".lock"), func() {
		fmt.Fprintf(progress, "controlplane: another process is building %s; waiting for it\n", g.description)
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if g.complete(dir) {
		return dir, nil
	}
	return dir, build(ctx, m, g, dir, progress)
}

// complete reports whether dir has all programs of g.
func (g group) complete(dir string) bool {
	for name := range g.programs {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}
