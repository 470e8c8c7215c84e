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
	"context"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

// checkpointTTL is how long the checkpoint of a cluster is kept after the cluster has
// left.
const checkpointTTL = time.Hour

// markUnused starts the TTL of the checkpoint of a watch that is not running.
func (m *multiClusterWatcher) markUnused(cw *clusterWatch) {
	if name := cw.watcher.storeName.Load(); name != nil {
		m.unusedSince[*name] = m.Clock.Now()
	}
}

// collectGarbage deletes the watches and checkpoints that were unused for
// checkpointTTL. The returned channel receives when the next one expires; it is nil
// if there is none. stop releases its timer.
func (m *multiClusterWatcher) collectGarbage(ctx context.Context) (next <-chan time.Time, stop func()) {
	now := m.Clock.Now()
	first := time.Duration(0)
	due := func(since time.Time) bool {
		remaining := since.Add(checkpointTTL).Sub(now)
		if remaining > 0 && (first == 0 || remaining < first) {
			first = remaining
		}
		return remaining <= 0
	}
	m.scanStore(ctx, now)
	for name, cw := range m.watches {
		if !cw.isRunning() && !cw.unselectedSince.IsZero() && due(cw.unselectedSince) {
			delete(m.watches, name)
		}
	}
	for name, since := range m.unusedSince {
		if !due(since) {
			continue
		}
		if m.mayBeInUse(name) {
			m.unusedSince[name] = now
			continue
		}
		delete(m.unusedSince, name)
		if err := m.Checkpoints.Delete(ctx, name); err != nil {
			logr.FromContextOrDiscard(ctx).Info("deleting the checkpoint of a cluster that left failed", "reason", err.Error())
		}
	}
	if first == 0 {
		return nil, func() {}
	}
	t := m.Clock.NewTimer(first)
	return t.C(), func() { t.Stop() }
}

// mayBeInUse reports whether a running watch uses the checkpoint of this name. It also
// returns true if the watch has not loaded its checkpoint yet.
func (m *multiClusterWatcher) mayBeInUse(name string) bool {
	_, key, _ := strings.Cut(name, " ")
	cluster, _ := m.clusterFromKey(key)
	cw := m.watches[cluster]
	if cw == nil || !cw.isRunning() {
		return false
	}
	used := cw.watcher.storeName.Load()
	return used == nil || *used == name
}

// scanStore starts the TTL of all checkpoints in the store, once.
func (m *multiClusterWatcher) scanStore(ctx context.Context, now time.Time) {
	if m.storeScanned || m.Checkpoints == nil {
		return
	}
	watches, err := m.Checkpoints.Watches(ctx)
	if err != nil {
		return // retried after the next change
	}
	m.storeScanned = true
	for _, name := range watches {
		_, key, _ := strings.Cut(name, " ")
		if _, ok := m.clusterFromKey(key); ok {
			m.unusedSince[name] = now
		}
	}
}
