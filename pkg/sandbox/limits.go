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

package sandbox

import (
	"fmt"
	"runtime/debug"
	"time"
)

const (
	// maxStack is how deep the calls of a check may go, in bytes. CUE that
	// depends on itself without end gets there at once.
	maxStack = 64 << 20
	// maxCPU ends a child whose parent was killed, and cannot end it.
	maxCPU = 10 * time.Minute
)

// limitProcess limits this process for good.
func limitProcess() error {
	debug.SetMaxStack(maxStack)
	debug.SetMemoryLimit(MaxMemory / 4 * 3) // rather collect than fail
	if err := setRlimits(MaxMemory, uint64(maxCPU/time.Second)); err != nil {
		return fmt.Errorf("limit memory and time: %w", err)
	}
	return nil
}
