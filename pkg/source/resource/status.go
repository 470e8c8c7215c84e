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
	"errors"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/multicluster"
)

// setStatus sets the status of the watch of a cluster: nil if it is running.
func (m *multiClusterWatcher) setStatus(cluster string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.statuses[cluster] = err
	m.publishStatusLocked()
}

// deleteStatus deletes the status of the watch of a cluster.
func (m *multiClusterWatcher) deleteStatus(cluster string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.statuses, cluster)
}

// publishStatus reports the status of each trigger to OnClusterStatus if it has
// changed.
func (m *multiClusterWatcher) publishStatus() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.publishStatusLocked()
}

// publishStatusLocked is publishStatus with m.mu held.
func (m *multiClusterWatcher) publishStatusLocked() {
	if m.OnClusterStatus == nil {
		return
	}
	for _, s := range m.shared {
		unavailable, unknown := m.unavailableClusters(s.clusters)
		err := error(nil)
		if len(unavailable.Clusters) > 0 {
			err = unavailable
		} else if unknown > 0 && (unavailable.Ready == 0 || m.lastStatus[s.trigger.TriggerRef] != "") {
			continue // until the status of all clusters is known
		}
		text := fmt.Sprint(unavailable.Ready > 0, err)
		if m.lastStatus[s.trigger.TriggerRef] != text {
			m.lastStatus[s.trigger.TriggerRef] = text
			m.OnClusterStatus(s.trigger.TriggerRef, err)
		}
	}
}

// unavailableClusters returns the clusters of a selection that cannot be watched, and
// the number of clusters whose status is not known yet.
func (m *multiClusterWatcher) unavailableClusters(selection clusterSelection) (unavailable *multicluster.UnavailableError, unknown int) {
	unavailable = &multicluster.UnavailableError{Clusters: map[string]error{}}
	classify := func(name string) {
		err, ok := m.statuses[name]
		switch {
		case !ok:
			unknown++
		case err == nil:
			unavailable.Ready++
		default:
			unavailable.Clusters[name] = err
		}
	}
	for name, c := range m.snapshot.Joined {
		switch {
		case !selection.matches(c):
		case c.Err != nil:
			unavailable.Clusters[name] = c.Err
		default:
			classify(name)
		}
	}
	for _, name := range selection.names {
		_, joined := m.snapshot.Joined[name]
		switch {
		case name == multicluster.Local:
			classify(name)
		case joined:
		case m.snapshot.Errs[name] != nil:
			unavailable.Clusters[name] = m.snapshot.Errs[name]
		case m.snapshot.Synced[name]:
			unavailable.Clusters[name] = errors.New("not joined")
		default:
			unknown++
		}
	}
	if selection.labels != nil {
		if m.snapshot.ListErr != nil {
			unavailable.Clusters[""] = m.snapshot.ListErr
		} else if !m.snapshot.Synced[""] {
			unknown++
		}
	}
	return unavailable, unknown
}
