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
	"fmt"
	"os"
	"path/filepath"

	"controlplane/internal/lock"
)

// scratch is the folder of one control plane. Its processes hold its lock; a folder whose
// lock is free belongs to a control plane that was killed.
type scratch struct {
	path string
	lock *lock.Lock
}

const lockName = "lock"

// newScratch creates a locked folder, and removes folders of ended control planes.
func newScratch(ctx context.Context) (_ scratch, err error) {
	parent := filepath.Join(os.TempDir(), fmt.Sprintf("kube-trigger-%d", os.Getuid()))
	// Until a new folder has its lock, other processes must not remove it.
	parentLock, err := lock.Acquire(ctx, filepath.Join(parent, lockName), func() {})
	if err != nil {
		return scratch{}, err
	}
	defer func() { err = errors.Join(err, parentLock.Release()) }()
	if err := removeStale(parent); err != nil {
		return scratch{}, err
	}
	path, err := os.MkdirTemp(parent, "controlplane-")
	if err != nil {
		return scratch{}, err
	}
	held, err := lock.Try(filepath.Join(path, lockName))
	return scratch{path: path, lock: held}, err
}

// removeStale removes the folders in parent whose lock is free.
func removeStale(parent string) error {
	paths, err := filepath.Glob(filepath.Join(parent, "controlplane-*"))
	for _, path := range paths {
		held, tryErr := lock.Try(filepath.Join(path, lockName))
		if tryErr == nil {
			err = errors.Join(err, os.RemoveAll(path), held.Release())
		}
	}
	return err
}

func (s scratch) remove() error {
	return errors.Join(os.RemoveAll(s.path), s.lock.Release())
}
