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
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
)

// minDiscoveryInterval is the minimum interval between two discoveries.
const minDiscoveryInterval = 10 * time.Second

// sharedMapper resolves kinds for all watches that share a mapper, so that many waiting
// watches cause no more discoveries than one. It is safe for concurrent use.
type sharedMapper struct {
	mapper meta.RESTMapper
	clock  clock.PassiveClock
	// noWatchList is set once the API server has refused to stream a list.
	noWatchList atomic.Bool

	mu        sync.Mutex
	lastReset time.Time
}

// mapping returns the REST mapping of a kind. The error satisfies meta.IsNoMatchError
// if the kind was not registered within the last minDiscoveryInterval; known is then
// whether another version of the kind is registered.
func (m *sharedMapper) mapping(kind schema.GroupVersionKind) (mapping *meta.RESTMapping, known bool, err error) {
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

// refresh resets the mapper, and reports whether it did. It does not if the last reset
// was less than minDiscoveryInterval ago.
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
