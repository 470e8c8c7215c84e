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
	// maxStack is the maximum size of a goroutine's stack, in bytes. It stops infinite
	// recursion in CUE.
	maxStack = 64 << 20
	// maxCPU is the CPU time after which the system kills a child whose parent died.
	maxCPU = 10 * time.Minute
	// gcPercent has the collector wait longer than usual: most checks need little memory.
	gcPercent = 400
)

// limitProcess applies the limits to this process. They cannot be lifted.
func limitProcess() error {
	debug.SetMaxStack(maxStack)
	debug.SetMemoryLimit(MaxMemory / 4 * 3) // collect garbage before the hard limit is reached
	debug.SetGCPercent(gcPercent)
	if err := setRlimits(MaxMemory, uint64(maxCPU/time.Second)); err != nil {
		return fmt.Errorf("limit memory and time: %w", err)
	}
	return nil
}
