//go:build linux || darwin || freebsd || netbsd || openbsd

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

package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockPollInterval is the time between two attempts to lock a file.
const lockPollInterval = 20 * time.Millisecond

// lock locks f until it is closed, with the same lock that bbolt uses.
func lock(ctx context.Context, f *os.File, wait time.Duration) error {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock: %w: %w", &LockedError{lockHolder(f)}, context.Cause(ctx))
		case <-timeout.C:
			return fmt.Errorf("lock: %w", &LockedError{lockHolder(f)})
		case <-time.After(lockPollInterval):
		}
	}
}

// lockHolder returns the ID of the process that has locked f. It returns 0 if the
// ID is unknown, and always on systems other than Linux.
func lockHolder(f *os.File) int {
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &stat); err != nil {
		return 0
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer locks.Close()
	inode := ":" + strconv.FormatUint(stat.Ino, 10)
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4242 fd:00:131090 0 EOF
		field := strings.Fields(lines.Text())
		if len(field) > 5 && field[1] == "FLOCK" && strings.HasSuffix(field[5], inode) {
			if pid, err := strconv.Atoi(field[4]); err == nil && pid > 0 {
				return pid
			}
		}
	}
	return 0
}

// syncDir writes the directory at path, with its new files, to the disk.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return trimPath(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync directory: %w", trimPath(err))
	}
	return nil
}
