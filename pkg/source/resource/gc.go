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
)

// checkpointTTL is how long the checkpoint of a cluster is kept after the cluster has
// left.
const checkpointTTL = time.Hour

// markUnused starts the TTL of the checkpoint of a watch that is not running.
func (g *watchGroup) markUnused(cw *clusterWatch) {
	if name := cw.watcher.storeName.Load(); name != nil {
		g.unusedSince[*name] = g.Clock.Now()
	}
}

// collectGarbage deletes the watches and checkpoints that were unused for
// checkpointTTL. The returned channel receives when the next one expires; it is nil
// if there is none. stop releases its timer.
func (g *watchGroup) collectGarbage(ctx context.Context) (next <-chan time.Time, stop func()) {
	now := g.Clock.Now()
	first := time.Duration(0)
	due := func(since time.Time) bool {
		remaining := since.Add(checkpointTTL).Sub(now)
		if remaining > 0 && (first == 0 || remaining < first) {
			first = remaining
		}
		return remaining <= 0
	}
	g.scanStore(ctx, now)
	for name, cw := range g.watches {
		if !cw.isRunning() && !cw.unselectedSince.IsZero() && due(cw.unselectedSince) {
			delete(g.watches, name)
		}
	}
	for name, since := range g.unusedSince {
		if !due(since) {
			continue
		}
		if g.mayBeInUse(name) {
			g.unusedSince[name] = now
			continue
		}
		delete(g.unusedSince, name)
		if err := g.Checkpoints.Delete(ctx, name); err != nil {
			g.log(ctx).Info("deleting the checkpoint of a cluster that left failed", "reason", err.Error())
		}
	}
	if first == 0 {
		return nil, func() {}
	}
	t := g.Clock.NewTimer(first)
	return t.C(), func() { t.Stop() }
}

// mayBeInUse reports whether a running watch uses the checkpoint of this name. It also
// returns true if the watch has not loaded its checkpoint yet.
func (g *watchGroup) mayBeInUse(name string) bool {
	_, key, _ := strings.Cut(name, " ")
	cluster, _ := g.clusterFromKey(key)
	cw := g.watches[cluster]
	if cw == nil || !cw.isRunning() {
		return false
	}
	used := cw.watcher.storeName.Load()
	return used == nil || *used == name
}

// scanStore starts the TTL of all checkpoints in the store, once.
func (g *watchGroup) scanStore(ctx context.Context, now time.Time) {
	if g.storeScanned || g.Checkpoints == nil || !g.selectsClusters() {
		return
	}
	names, err := g.Checkpoints.List(ctx)
	if err != nil {
		return // retried after the next change
	}
	g.storeScanned = true
	for _, name := range names {
		_, key, _ := strings.Cut(name, " ")
		if _, ok := g.clusterFromKey(key); ok {
			g.unusedSince[name] = now
		}
	}
}
