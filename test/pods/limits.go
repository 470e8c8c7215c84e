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

package pods

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// cpuPeriod is the period of CPU quotas in microseconds, as kubelet sets it.
	cpuPeriod = 100_000
)

// setting is a value of a file of a cgroup.
type setting struct{ file, value string }

// limits returns a command that runs its arguments with the limits of c on memory and CPU,
// and a function that removes the cgroups. As root, cgroups limit the container with its
// child processes, as kubelet has it. Otherwise the data segment of each process is limited,
// and CPU is not.
func (n *Node) limits(pod *corev1.Pod, c corev1.Container) (command []string, remove func(), err error) {
	memory, cpu := c.Resources.Limits.Memory().Value(), c.Resources.Limits.Cpu().MilliValue()
	name := fmt.Sprintf("kube-trigger-%s-%d", pod.UID, os.Getpid())
	var folders []string
	remove = func() {
		for _, folder := range folders {
			_ = os.Remove(folder) // fails while a process is ending
		}
	}
	groups := cgroups(memory, cpu)
	if os.Geteuid() != 0 || len(groups) == 0 {
		return []string{"/bin/sh", "-c", `ulimit -d "$0"; exec "$@"`, strconv.FormatInt(memory/1024, 10)}, remove, nil
	}
	script := ""
	for parent, settings := range groups {
		folder := filepath.Join(parent, name)
		if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // a cgroup
			return nil, remove, err
		}
		folders = append(folders, folder)
		for _, s := range settings {
			if err := os.WriteFile(filepath.Join(folder, s.file), []byte(s.value), 0o600); err != nil {
				return nil, remove, err
			}
		}
		script += fmt.Sprintf("echo $$ > %s/cgroup.procs && ", folder)
	}
	return []string{"/bin/sh", "-c", script + `exec "$0" "$@"`}, remove, nil
}

// cgroups returns the settings of limits in bytes and thousandths of a CPU, by the parent of
// the cgroup. It is empty if there are no cgroups.
func cgroups(memory, cpu int64) map[string][]setting {
	quota := strconv.FormatInt(cpu*cpuPeriod/1000, 10)
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		_ = os.WriteFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), []byte("+memory +cpu"), 0o600) // it may be set
		settings := []setting{{"memory.max", strconv.FormatInt(memory, 10)}, {"memory.oom.group", "1"}}
		if cpu > 0 {
			settings = append(settings, setting{"cpu.max", fmt.Sprintf("%s %d", quota, cpuPeriod)})
		}
		return map[string][]setting{cgroupRoot: settings}
	}
	groups := map[string][]setting{}
	if _, err := os.Stat(filepath.Join(cgroupRoot, "memory", "memory.limit_in_bytes")); err == nil {
		groups[filepath.Join(cgroupRoot, "memory")] = []setting{{"memory.limit_in_bytes", strconv.FormatInt(memory, 10)}}
	}
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cpu", "cpu.cfs_quota_us")); err == nil && cpu > 0 {
		groups[filepath.Join(cgroupRoot, "cpu")] = []setting{{"cpu.cfs_period_us", strconv.Itoa(cpuPeriod)}, {"cpu.cfs_quota_us", quota}}
	}
	return groups
}
