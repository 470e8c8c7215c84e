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

package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/crashguard"
)

// openSharedCrashTracker opens the crash tracker of a process that has no directory for
// it; owner identifies its triggers. It returns nil if that is not possible, and logs
// why.
func openSharedCrashTracker(ctx context.Context, owner ...string) *crashguard.Tracker {
	path, err := sharedPath(strings.Join(owner, "\x00"))
	if err == nil {
		var t *crashguard.Tracker
		if t, err = crashguard.Open(path); err == nil {
			return t
		}
	}
	logr.FromContextOrDiscard(ctx).Info("evaluations that crash the process are not recorded", "reason", err.Error())
	return nil
}

// sharedPath returns a file that belongs to owner and the user, in a directory that
// outlives the process: in the shared memory of the pod, which outlives a container,
// too, or else among the temporary files.
func sharedPath(owner string) (string, error) {
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = os.TempDir()
	}
	dir := filepath.Join(parent, fmt.Sprintf("kube-trigger-%d", os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	// Others may create files there, too.
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 {
		return "", fmt.Errorf("%s: must be a directory that only its owner may access", dir)
	}
	hash := sha256.Sum256([]byte(owner))
	return filepath.Join(dir, hex.EncodeToString(hash[:16])), nil
}
