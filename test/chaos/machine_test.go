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

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine returns the time, the version and the machine of the figures.
func machine() string {
	commit, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	return fmt.Sprintf("%s, kube-trigger %s, %d CPUs (%s), %s/%s, %s, load %s.",
		time.Now().UTC().Format("2006-01-02 15:04 MST"), strings.TrimSpace(string(commit)), runtime.NumCPU(),
		field("/proc/cpuinfo", "model name"), runtime.GOOS, runtime.GOARCH, runtime.Version(), load())
}

// field returns the first value of a field in a file of "name: value" lines.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// peakMemory returns the peak resident memory of a process, in MiB.
func peakMemory(pid int) (float64, error) {
	return mebibytes(field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM"))
}

// memoryOf returns the resident memory of a process, in MiB.
func memoryOf(pid int) (float64, error) {
	return mebibytes(field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"))
}

func mebibytes(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	return n / 1024, err
}
