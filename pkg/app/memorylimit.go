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
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/kubevela/kube-trigger/pkg/engine"
)

const (
	// heapShare is the part of a cgroup's limit that the runtime may use before it
	// collects garbage continuously, in percent. The rest is for what the runtime does
	// not count, and for peaks.
	heapShare = 90
	// queueShare is the part of the runtime's memory limit for the data of events in
	// progress, in percent. Garbage, the sources and running evaluations need the rest.
	queueShare = 25
)

// limitHeap has the runtime observe the memory limit of the process's cgroup.
func limitHeap(root fs.FS) {
	if limit := cgroupLimit(root); limit > 0 {
		debug.SetMemoryLimit(limit / 100 * heapShare)
	}
}

// defaultQueueBytes returns the default of RunOptions.QueueBytes.
func defaultQueueBytes() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return engine.DefaultQueueBytes
	}
	return max(limit/100*queueShare, 1)
}

// cgroupLimit returns the memory limit of the process's cgroup, of version 1 or 2, in
// bytes; 0 if there is none. root is the root of the file system.
func cgroupLimit(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	var smallest int64
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		folder, file := "sys/fs/cgroup", "memory.max"
		switch controllers {
		case "":
		case "memory":
			folder, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for { // a limit of any parent counts, too
			if limit := readLimit(root, path.Join(folder, group, file)); limit > 0 && (smallest == 0 || limit < smallest) {
				smallest = limit
			}
			if group == "/" || group == "" || group == "." {
				break
			}
			group = path.Dir(group)
		}
	}
	return smallest
}

// unlimited is more than any limit: version 1 of cgroups has a number for "no limit",
// which depends on the size of pages.
const unlimited = 1 << 60

// readLimit returns the limit in a file; 0 if there is none.
func readLimit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || limit >= unlimited {
		return 0
	}
	return limit
}
