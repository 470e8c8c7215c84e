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
	"strconv"
	"strings"

	"github.com/kubevela/kube-trigger/test/figures"
)

// peakMemory returns the peak resident memory of a process, in MiB.
func peakMemory(pid int) (float64, error) {
	return mebibytes(figures.Field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM"))
}

// memoryOf returns the resident memory of a process, in MiB.
func memoryOf(pid int) (float64, error) {
	return mebibytes(figures.Field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"))
}

func mebibytes(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	return n / 1024, err
}
