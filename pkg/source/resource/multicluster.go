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
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// watchGroup runs one watch in each cluster that the triggers of a query select, which is
// the worker's own cluster if they select none. The watches do not block each other.
type watchGroup struct {
	Options
	query
	mapper  *sharedMapper
	derived *DerivedSource
	shared  []subscription
	// own is the worker's own cluster.
	own multicluster.Cluster

	watches map[string]*clusterWatch
	// unusedSince holds the time since when a checkpoint is unused, by its name in
	// the store. storeScanned is set once the store's checkpoints were added to it.
	unusedSince  map[string]time.Time
	storeScanned bool
	running      sync.WaitGroup
	// failed receives the error with which a watch ends during the current Run.
	failed chan error

	mu       sync.Mutex
	snapshot multicluster.Snapshot
	// statuses holds the status of each watch, by cluster: nil if it is running.
	statuses map[string]error
	// lastStatus holds the status of each trigger that was published last.
	lastStatus map[event.TriggerRef]string
}

func newWatchGroup(o Options, mapper *sharedMapper, q query, d *DerivedSource, shared []subscription) *watchGroup {
	return &watchGroup{
		Options: o, query: q, mapper: mapper, derived: d, shared: shared,
		own: multicluster.Cluster{Name: multicluster.Local, Connection: &multicluster.Connection{
			Server: o.Server, Dynamic: o.Client, Metadata: o.Metadata, Mapper: o.Mapper,
		}},
		watches: map[string]*clusterWatch{}, unusedSince: map[string]time.Time{},
		statuses: map[string]error{}, lastStatus: map[event.TriggerRef]string{},
	}
}

// Run watches the selected clusters, as they join and leave, until ctx ends. If triggers
// select clusters, errors of single clusters are retried and reported to
// OnClusterStatus; they do not end Run.
func (g *watchGroup) Run(ctx context.Context, sink source.Sink) error {
	joined := g.watchJoined(ctx)
	defer joined.Close()
	defer g.running.Wait()
	defer func() {
		for _, cw := range g.watches {
			cw.stop()
		}
	}()
	g.mu.Lock()
	clear(g.lastStatus)
	g.mu.Unlock()
	g.failed = make(chan error, 1)
	for {
		g.reconcile(ctx, sink, joined.Snapshot())
		collect, stop := g.collectGarbage(ctx)
		select {
		case <-ctx.Done():
			stop()
			return nil
		case err := <-g.failed:
			stop()
			return err
		case <-joined.Changed():
		case <-collect:
		}
		stop()
	}
}

// watchJoined watches the joined clusters that triggers may select.
func (g *watchGroup) watchJoined(ctx context.Context) *multicluster.Watcher {
	if !g.selectsClusters() {
		return &multicluster.Watcher{}
	}
	var names []string
	all := false
	for _, s := range g.shared {
		names = append(names, slices.DeleteFunc(slices.Clone(s.clusters.names), func(n string) bool { return n == multicluster.Local })...)
		all = all || s.clusters.labels != nil
	}
	return g.Clusters.Watch(logr.NewContext(ctx, g.log(ctx)), names, all)
}

// log returns the logger of the group itself. Each watch has its own.
func (g *watchGroup) log(ctx context.Context) logr.Logger {
	return logr.FromContextOrDiscard(ctx).WithValues("watch", g.String())
}

// reconcile starts, restarts and stops watches so that exactly the selected clusters
// are watched, over their current connections.
func (g *watchGroup) reconcile(ctx context.Context, sink source.Sink, snapshot multicluster.Snapshot) {
	g.mu.Lock()
	g.snapshot = snapshot
	g.mu.Unlock()
	selected := g.selectedClusters(snapshot)
	for name, cw := range g.watches {
		if _, ok := selected[name]; ok || !cw.isRunning() {
			continue
		}
		cw.stop()
		cw.unselectedSince = g.Clock.Now()
		g.markUnused(cw)
		g.deleteStatus(name)
		g.log(ctx).Info("cluster left", "cluster", name)
	}
	for _, name := range slices.Sorted(maps.Keys(selected)) {
		g.ensureWatch(ctx, sink, selected[name], g.selectedBy(selected[name]))
	}
	g.publishStatus()
}

// selectedClusters returns the clusters that a trigger selects and that have a
// connection, by name.
func (g *watchGroup) selectedClusters(snapshot multicluster.Snapshot) map[string]multicluster.Cluster {
	selected := maps.Clone(snapshot.Joined)
	selected[multicluster.Local] = g.own
	maps.DeleteFunc(selected, func(_ string, c multicluster.Cluster) bool {
		return c.Connection == nil || len(g.selectedBy(c)) == 0
	})
	return selected
}

// selectedBy returns the triggers that select a cluster.
func (g *watchGroup) selectedBy(c multicluster.Cluster) []event.TriggerRef {
	var out []event.TriggerRef
	for _, s := range g.shared {
		if s.clusters.matches(c) {
			out = append(out, s.trigger.TriggerRef)
		}
	}
	return out
}

// ensureWatch starts the watch of one cluster, or restarts it if it is out of date.
func (g *watchGroup) ensureWatch(ctx context.Context, sink source.Sink, c multicluster.Cluster, triggers []event.TriggerRef) {
	cw := g.watches[c.Name]
	if cw != nil && cw.upToDate(c, triggers) {
		return
	}
	if cw != nil {
		cw.stop()
	}
	if cw != nil && cw.cluster.Endpoint != c.Endpoint {
		g.markUnused(cw)
		if g.Saver != nil { // it may be the same cluster: its checkpoint is loaded again
			_ = g.Saver.Flush(ctx) // events that are not saved are delivered again
		}
		cw = nil
	}
	if cw == nil {
		cw = g.newClusterWatch(c.Name)
		g.watches[c.Name] = cw
	}
	cw.configure(c, triggers)
	if g.selectsClusters() {
		ctx = logr.NewContext(ctx, logr.FromContextOrDiscard(ctx).WithValues("cluster", c.Name))
	}
	cw.start(ctx, &g.running, sink, g.failed)
}

// newClusterWatch returns the watch of one cluster, not running yet.
func (g *watchGroup) newClusterWatch(cluster string) *clusterWatch {
	mapper, q := g.mapper, g.query
	if cluster != multicluster.Local {
		mapper = &sharedMapper{clock: g.Clock}
	}
	if g.selectsClusters() {
		q.cluster = cluster
	}
	w := newWatcher(g.Options, mapper, q, g.derived, g.shared)
	w.reportStatus = func(err error) { g.setStatus(cluster, err) }
	return &clusterWatch{watcher: w}
}
