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

// checkpointTTL is how long it is remembered where the watch of a cluster stopped that has
// left.
const checkpointTTL = time.Hour

// markUnused notes that the watch of s, which does not run, is not used any more.
func (m *multiClusterWatcher) markUnused(cw *clusterWatch) {
	if name := cw.watcher.storeName.Load(); name != nil {
		m.unusedSince[*name] = m.Clock.Now()
	}
}

// collectGarbage forgets the watches that have not been used for an hour or more. The channel
// receives when the next one is to be forgotten; stop releases it.
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
			logr.FromContextOrDiscard(ctx).Info("watch of a cluster that left not forgotten", "reason", err.Error())
		}
	}
	if first == 0 {
		return nil, func() {}
	}
	t := m.Clock.NewTimer(first)
	return t.C(), func() { t.Stop() }
}

// mayBeInUse reports whether a watch that runs uses that of a name in the store, or may,
// since it has not reached its cluster yet.
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

// scanStore finds the watches that the store has, once.
func (m *multiClusterWatcher) scanStore(ctx context.Context, now time.Time) {
	if m.storeScanned || m.Checkpoints == nil {
		return
	}
	watches, err := m.Checkpoints.Watches(ctx)
	if err != nil {
		return // and tried again with the next change
	}
	m.storeScanned = true
	for _, name := range watches {
		_, key, _ := strings.Cut(name, " ")
		if _, ok := m.clusterFromKey(key); ok {
			m.unusedSince[name] = now
		}
	}
}
