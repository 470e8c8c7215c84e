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

// Set has the paths of the programs of a control plane.
type Set struct{ Etcd, APIServer, ControllerManager string }

// Node has the paths of the programs of a node.
type Node struct{ Scheduler, Kubelet string }

// Cache returns the cache directory.
func Cache() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "kube-trigger", "controlplane"), err
}

// Ensure returns the programs of a control plane in the versions of m, and builds them
// unless they are cached. It writes its progress to progress.
func Ensure(ctx context.Context, m Module, progress io.Writer) (Set, error) {
	v, err := m.versions()
	if err != nil {
		return Set{}, err
	}
	dir, err := ensure(ctx, m, group{
		name: v.kubernetes + "-" + v.etcd,
		what: fmt.Sprintf("etcd %s and Kubernetes %s", v.etcd, v.kubernetes),
		took: "6 minutes",
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
		name: "node-" + v.kubernetes,
		what: "kube-scheduler and kubelet " + v.kubernetes,
		took: "3 minutes",
		programs: map[string]string{
			"kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
			"kubelet":        "k8s.io/kubernetes/cmd/kubelet",
		},
	}, progress)
	return Node{Scheduler: filepath.Join(dir, "kube-scheduler"), Kubelet: filepath.Join(dir, "kubelet")}, err
}

// group is a group of programs that are built together.
type group struct {
	name     string // name of their folder, with their versions
	what     string // description in progress messages
	took     string
	programs map[string]string // packages by program
}

// ensure returns the folder with the programs of g.
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
	held, err := lock.Take(ctx, filepath.Join(cache, name+".lock"), func() {
		fmt.Fprintf(progress, "controlplane: another process is building %s; waiting for it\n", g.what)
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

func (g group) complete(dir string) bool {
	for name := range g.programs {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}
