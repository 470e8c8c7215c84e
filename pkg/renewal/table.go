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

package renewal

import (
	"sync"
	_ "unsafe" // go:linkname

	_ "cuelang.org/go/cue" // has the tables
)

// CUE v0.14.1 keeps the names of all fields that the process has ever evaluated in two
// tables, which it does not export and never shrinks. They are only read here. A version
// of CUE without them does not link.

//go:linkname cueNames cuelang.org/go/internal/core/runtime.labels
var cueNames []string //nolint:gochecknoglobals // it is CUE's

//go:linkname cueNamesLock cuelang.org/go/internal/core/runtime.mutex
var cueNamesLock sync.RWMutex //nolint:gochecknoglobals // it is CUE's

// nameOverhead is the memory that a name takes in CUE's tables besides its text, in
// bytes: two string headers and an index, in tables that are three quarters full and
// grow by copying.
const nameOverhead = 128

// Table measures CUE's tables of names. The zero value has counted no name yet. It is
// not safe for concurrent use.
type Table struct{ names, bytes int }

// Measure returns how many names the tables hold, and about how many bytes of memory
// they take. It reads only the names that were added since the last call.
func (t *Table) Measure() (names, bytes int) {
	cueNamesLock.RLock()
	added := cueNames[t.names:]
	cueNamesLock.RUnlock()
	for _, name := range added {
		t.bytes += len(name) + nameOverhead
	}
	t.names += len(added)
	return t.names, t.bytes
}
