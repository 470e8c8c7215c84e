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
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"github.com/kubevela/kube-trigger/pkg/engine"
)

func TestCgroupLimit(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, tc := range map[string]struct {
		files fstest.MapFS
		want  int64
	}{
		"v2 in a container": {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("268435456\n")}, 256 << 20},
		"v2 of a parent": {fstest.MapFS{
			"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/memory.max": file("1048576\n"), "sys/fs/cgroup/a/b/memory.max": file("max\n"),
		}, 1 << 20},
		"v2 without a limit": {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 0},
		"v1": {fstest.MapFS{
			"proc/self/cgroup": file("5:cpu,cpuacct:/x\n4:memory:/pod/c\n0::/\n"),
			"sys/fs/cgroup/memory/pod/c/memory.limit_in_bytes":   file("134217728\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":         file("9223372036854771712\n"),
			"sys/fs/cgroup/cpu,cpuacct/x/memory.limit_in_bytes":  file("1\n"),
			"sys/fs/cgroup/memory/other/memory.limit_in_bytes":   file("1\n"),
			"sys/fs/cgroup/memory/pod/c/memory.usage_in_bytes":   file("1\n"),
			"sys/fs/cgroup/memory/pod/memory.limit_in_bytes":     file("9223372036854771712\n"),
			"sys/fs/cgroup/memory/pod/memory.memsw.usage_in_byt": file("1\n"),
		}, 128 << 20},
		"v1 without a namespace of cgroups": {fstest.MapFS{
			"proc/self/cgroup": file("4:memory:/kubepods/pod/c\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("1024\n"),
		}, 1024},
		"none": {fstest.MapFS{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cgroupLimit(tc.files); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestDefaultQueueBytes(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	if got := defaultQueueBytes(); got != engine.DefaultQueueBytes {
		t.Errorf("without a limit: got %d", got)
	}
	limitHeap(fstest.MapFS{
		"proc/self/cgroup":         {Data: []byte("0::/\n")},
		"sys/fs/cgroup/memory.max": {Data: []byte("400\n")},
	})
	if got := debug.SetMemoryLimit(-1); got != 360 {
		t.Errorf("the runtime's limit is %d", got)
	}
	if got := defaultQueueBytes(); got != 75 {
		t.Errorf("with a limit of 360: got %d", got)
	}
}
