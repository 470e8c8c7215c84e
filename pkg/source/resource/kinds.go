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

package resource

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
)

// minDiscoveryInterval is the least time between two looks at everything that an API
// server serves.
const minDiscoveryInterval = 10 * time.Second

// sharedMapper finds kinds for all watches that share a mapper, so that many which
// wait cost the API server no more than one. It is safe for concurrent use.
type sharedMapper struct {
	mapper meta.RESTMapper
	clock  clock.PassiveClock

	mu        sync.Mutex
	lastReset time.Time
}

// mapping returns where the objects of k are served. An error for which
// meta.IsNoMatchError holds means that they are not, as of the last 10 seconds;
// known says whether another version of k is. Where stale is set, what the
// mapper remembers is known to be wrong, and not believed if it is older.
func (m *sharedMapper) mapping(kind schema.GroupVersionKind, stale bool) (mapping *meta.RESTMapping, known bool, err error) {
	if stale {
		m.refresh()
	}
	mapping, err = m.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) && m.refresh() {
		mapping, err = m.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if meta.IsNoMatchError(err) {
		_, other := m.mapper.RESTMapping(kind.GroupKind())
		known = !meta.IsNoMatchError(other)
	}
	return mapping, known, err
}

// refresh makes the mapper look again, unless it did less than 10 seconds ago.
func (m *sharedMapper) refresh() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.clock.Since(m.lastReset) < minDiscoveryInterval {
		return false
	}
	meta.MaybeResetRESTMapper(m.mapper)
	m.lastReset = m.clock.Now()
	return true
}
