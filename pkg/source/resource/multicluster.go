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

// multiClusterWatcher runs one watch in each cluster that the triggers of a query
// select. The watches do not block each other.
type multiClusterWatcher struct {
	Options
	query
	mapper  *sharedMapper
	derived *DerivedSource
	shared  []subscription

	watches map[string]*clusterWatch
	// unusedSince holds the time since when a checkpoint is unused, by its name in
	// the store. storeScanned is set once the store's checkpoints were added to it.
	unusedSince  map[string]time.Time
	storeScanned bool
	running      sync.WaitGroup

	mu       sync.Mutex
	snapshot multicluster.Snapshot
	// statuses holds the status of each watch, by cluster: nil if it is running.
	statuses map[string]error
	// lastStatus holds the status of each trigger that was published last.
	lastStatus map[event.TriggerRef]string
}

func newMultiClusterWatcher(o Options, mapper *sharedMapper, q query, d *DerivedSource, shared []subscription) *multiClusterWatcher {
	return &multiClusterWatcher{
		Options: o, query: q, mapper: mapper, derived: d, shared: shared,
		watches: map[string]*clusterWatch{}, unusedSince: map[string]time.Time{},
		statuses: map[string]error{}, lastStatus: map[event.TriggerRef]string{},
	}
}

// Run watches the selected clusters, as they join and leave, until ctx ends. Errors of
// single clusters are retried and reported to OnClusterStatus; they do not end Run.
func (m *multiClusterWatcher) Run(ctx context.Context, sink source.Sink) error {
	ctx = logr.NewContext(ctx, logr.FromContextOrDiscard(ctx).WithValues("watch", m.String()))
	var names []string
	all := false
	for _, s := range m.shared {
		names = append(names, slices.DeleteFunc(slices.Clone(s.clusters.names), func(n string) bool { return n == multicluster.Local })...)
		all = all || s.clusters.labels != nil
	}
	joined := m.Clusters.Watch(ctx, names, all)
	defer joined.Close()
	defer m.running.Wait()
	defer func() {
		for _, cw := range m.watches {
			cw.stop()
		}
	}()
	m.mu.Lock()
	clear(m.lastStatus)
	m.mu.Unlock()
	for {
		m.reconcile(ctx, sink, joined.Snapshot())
		collect, stop := m.collectGarbage(ctx)
		select {
		case <-ctx.Done():
			stop()
			return nil
		case <-joined.Changed():
		case <-collect:
		}
		stop()
	}
}

// reconcile starts, restarts and stops watches so that exactly the selected clusters
// are watched, over their current connections.
func (m *multiClusterWatcher) reconcile(ctx context.Context, sink source.Sink, snapshot multicluster.Snapshot) {
	m.mu.Lock()
	m.snapshot = snapshot
	m.mu.Unlock()
	selected := m.selectedClusters(snapshot)
	for name, cw := range m.watches {
		if _, ok := selected[name]; ok || !cw.isRunning() {
			continue
		}
		cw.stop()
		cw.unselectedSince = m.Clock.Now()
		m.markUnused(cw)
		m.deleteStatus(name)
		logr.FromContextOrDiscard(ctx).Info("cluster left", "cluster", name)
	}
	for _, name := range slices.Sorted(maps.Keys(selected)) {
		m.ensureWatch(ctx, sink, selected[name], m.selectedBy(selected[name]))
	}
	m.publishStatus()
}

// selectedClusters returns the clusters that a trigger selects and that have a
// connection, by name.
func (m *multiClusterWatcher) selectedClusters(snapshot multicluster.Snapshot) map[string]multicluster.Cluster {
	selected := map[string]multicluster.Cluster{}
	own := multicluster.Cluster{Name: multicluster.Local, Connection: &multicluster.Connection{
		Server: m.Server, Dynamic: m.Client, Metadata: m.Metadata, Mapper: m.Mapper,
	}}
	for name, c := range snapshot.Joined {
		if c.Connection != nil && len(m.selectedBy(c)) > 0 {
			selected[name] = c
		}
	}
	if len(m.selectedBy(own)) > 0 {
		selected[multicluster.Local] = own
	}
	return selected
}

// selectedBy returns the triggers that select a cluster. The hub is selected only by
// name, never by label.
func (m *multiClusterWatcher) selectedBy(c multicluster.Cluster) []event.TriggerRef {
	var out []event.TriggerRef
	for _, s := range m.shared {
		if s.clusters.hasName(c.Name) || c.Name != multicluster.Local && s.clusters.matches(c) {
			out = append(out, s.trigger.TriggerRef)
		}
	}
	return out
}

// ensureWatch starts the watch of one cluster, or restarts it if it is out of date.
func (m *multiClusterWatcher) ensureWatch(ctx context.Context, sink source.Sink, c multicluster.Cluster, triggers []event.TriggerRef) {
	cw := m.watches[c.Name]
	if cw != nil && cw.upToDate(c, triggers) {
		return
	}
	if cw != nil {
		cw.stop()
	}
	if cw != nil && cw.cluster.Endpoint != c.Endpoint {
		m.markUnused(cw)
		if m.Saver != nil { // it may be the same cluster: its checkpoint is loaded again
			_ = m.Saver.Flush(ctx) // events that are not saved are delivered again
		}
		cw = nil
	}
	if cw == nil {
		cw = m.newClusterWatch(c.Name)
		m.watches[c.Name] = cw
	}
	cw.configure(c, triggers)
	cw.start(ctx, &m.running, func(ctx context.Context) { m.runWatch(ctx, cw, sink) })
}

// newClusterWatch returns the watch of one cluster, not running yet.
func (m *multiClusterWatcher) newClusterWatch(cluster string) *clusterWatch {
	mapper := m.mapper
	if cluster != multicluster.Local {
		mapper = &sharedMapper{clock: m.Clock}
	}
	cw := &clusterWatch{watcher: newWatcher(m.Options, mapper, m.forCluster(cluster), m.derived, m.shared)}
	cw.watcher.OnStatus = func(_ string, err error) {
		if err == nil {
			cw.retries.reset()
		}
		m.setStatus(cluster, err)
	}
	return cw
}

// runWatch runs the watch of one cluster until ctx ends, and restarts it with backoff
// when it fails.
func (m *multiClusterWatcher) runWatch(ctx context.Context, cw *clusterWatch, sink source.Sink) {
	cluster := cw.watcher.cluster
	log := logr.FromContextOrDiscard(ctx).WithValues("cluster", cluster)
	ctx = logr.NewContext(ctx, log)
	for {
		err := cw.runOnce(ctx, sink)
		if ctx.Err() != nil {
			return
		}
		delay := cw.retries.next()
		log.Info("watching the cluster failed; retrying", "reason", err.Error(), "delay", delay)
		m.setStatus(cluster, err)
		if !wait(ctx, m.Clock, delay) {
			return
		}
	}
}
