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

// rediscovery is the least time between two looks at everything that an API
// server serves.
const rediscovery = 10 * time.Second

// kinds finds kinds for all watches that share a mapper, so that many which
// wait cost the API server no more than one. It is safe for concurrent use.
type kinds struct {
	mapper meta.RESTMapper
	clock  clock.PassiveClock

	mu    sync.Mutex
	reset time.Time
}

// find returns where the objects of k are served. An error for which
// meta.IsNoMatchError holds means that they are not, as of the last 10 seconds;
// known says whether another version of k is. Where stale is set, what the
// mapper remembers is known to be wrong, and not believed if it is older.
func (d *kinds) find(k schema.GroupVersionKind, stale bool) (mapping *meta.RESTMapping, known bool, err error) {
	if stale {
		d.refresh()
	}
	mapping, err = d.mapper.RESTMapping(k.GroupKind(), k.Version)
	if meta.IsNoMatchError(err) && d.refresh() {
		mapping, err = d.mapper.RESTMapping(k.GroupKind(), k.Version)
	}
	if meta.IsNoMatchError(err) {
		_, other := d.mapper.RESTMapping(k.GroupKind())
		known = !meta.IsNoMatchError(other)
	}
	return mapping, known, err
}

// refresh makes the mapper look again, unless it did less than 10 seconds ago.
func (d *kinds) refresh() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clock.Since(d.reset) < rediscovery {
		return false
	}
	meta.MaybeResetRESTMapper(d.mapper)
	d.reset = d.clock.Now()
	return true
}
