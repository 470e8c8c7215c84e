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

// fleet is the watches of one query in all clusters that its triggers select, one
// each. They do not wait for each other.
type fleet struct {
	Options
	query
	kinds      *kinds
	derivation *Derivation
	shared     []subscription

	sites map[string]*site
	// idle is since when watches, by their names in the store, are not known to be
	// used. Searched is set once they were looked for there.
	idle     map[string]time.Time
	searched bool
	running  sync.WaitGroup

	mu    sync.Mutex
	known multicluster.Known
	// reports are what the watches say, by cluster: nil that one works.
	reports map[string]error
	// told is what was said last of each trigger.
	told map[event.Trigger]string
}

func newFleet(o Options, k *kinds, q query, d *Derivation, shared []subscription) *fleet {
	return &fleet{
		Options: o, query: q, kinds: k, derivation: d, shared: shared,
		sites: map[string]*site{}, idle: map[string]time.Time{},
		reports: map[string]error{}, told: map[event.Trigger]string{},
	}
}

// Run watches the clusters that are selected, as they join and leave, until ctx ends.
// What goes wrong with some of them is tried again, and told, and no failure.
func (f *fleet) Run(ctx context.Context, sink source.Sink) error {
	ctx = logr.NewContext(ctx, logr.FromContextOrDiscard(ctx).WithValues("watch", f.String()))
	var names []string
	all := false
	for _, s := range f.shared {
		names = append(names, slices.DeleteFunc(slices.Clone(s.where.listed), func(n string) bool { return n == multicluster.Local })...)
		all = all || s.where.labels != nil
	}
	view := f.Clusters.View(ctx, names, all)
	defer view.Close()
	defer f.running.Wait()
	defer func() {
		for _, s := range f.sites {
			s.stop()
		}
	}()
	f.mu.Lock()
	clear(f.told)
	f.mu.Unlock()
	for {
		f.adjust(ctx, sink, view.Now())
		forget, stop := f.forget(ctx)
		select {
		case <-ctx.Done():
			stop()
			return nil
		case <-view.Changed():
		case <-forget:
		}
		stop()
	}
}

// adjust has the sites run that are selected, as they are reached now, and no others.
func (f *fleet) adjust(ctx context.Context, sink source.Sink, known multicluster.Known) {
	f.mu.Lock()
	f.known = known
	f.mu.Unlock()
	wanted := f.wanted(known)
	for name, s := range f.sites {
		if _, is := wanted[name]; is || !s.runs() {
			continue
		}
		s.stop()
		s.left = f.Clock.Now()
		f.rest(s)
		f.unreport(name)
		logr.FromContextOrDiscard(ctx).Info("cluster left", "cluster", name)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		f.site(ctx, sink, wanted[name], f.choosers(wanted[name]))
	}
	f.tell()
}

// wanted returns the clusters that triggers select and that can be reached, by name.
func (f *fleet) wanted(known multicluster.Known) map[string]multicluster.Cluster {
	wanted := map[string]multicluster.Cluster{}
	own := multicluster.Cluster{Name: multicluster.Local, Connection: &multicluster.Connection{
		Server: f.Server, Dynamic: f.Client, Metadata: f.Metadata, Mapper: f.Mapper,
	}}
	for name, c := range known.Joined {
		if c.Connection != nil && len(f.choosers(c)) > 0 {
			wanted[name] = c
		}
	}
	if len(f.choosers(own)) > 0 {
		wanted[multicluster.Local] = own
	}
	return wanted
}

// choosers returns the triggers that select a cluster. The hub is selected by its
// name only.
func (f *fleet) choosers(c multicluster.Cluster) []event.Trigger {
	var some []event.Trigger
	for _, s := range f.shared {
		if s.where.names(c.Name) || c.Name != multicluster.Local && s.where.has(c) {
			some = append(some, s.trigger.Trigger)
		}
	}
	return some
}

// site has the watch in one cluster run.
func (f *fleet) site(ctx context.Context, sink source.Sink, c multicluster.Cluster, here []event.Trigger) {
	s := f.sites[c.Name]
	if s != nil && s.same(c, here) {
		return
	}
	if s != nil {
		s.stop()
	}
	if s != nil && s.cluster.Endpoint != c.Endpoint {
		f.rest(s)
		if f.Saver != nil { // it may be the same cluster: what is known is read again
			_ = f.Saver.Flush(ctx) // what is not saved comes again
		}
		s = nil
	}
	if s == nil {
		s = f.newSite(c.Name)
		f.sites[c.Name] = s
	}
	s.take(c, here)
	s.start(ctx, &f.running, func(ctx context.Context) { f.watch(ctx, s, sink) })
}

// newSite returns the watch in a cluster.
func (f *fleet) newSite(cluster string) *site {
	k := f.kinds
	if cluster != multicluster.Local {
		k = &kinds{clock: f.Clock}
	}
	s := &site{watcher: newWatcher(f.Options, k, f.in(cluster), f.derivation, f.shared)}
	s.watcher.Waits = func(_ string, why error) {
		if why == nil {
			s.retries.reset()
		}
		f.report(cluster, why)
	}
	return s
}

// watch runs the watch in a cluster until ctx ends, and again where it fails.
func (f *fleet) watch(ctx context.Context, s *site, sink source.Sink) {
	cluster := s.watcher.cluster
	log := logr.FromContextOrDiscard(ctx).WithValues("cluster", cluster)
	ctx = logr.NewContext(ctx, log)
	for {
		err := s.once(ctx, sink)
		if ctx.Err() != nil {
			return
		}
		delay := s.retries.next()
		log.Info("cluster not watched; trying again", "reason", err.Error(), "delay", delay)
		f.report(cluster, err)
		if !wait(ctx, f.Clock, delay) {
			return
		}
	}
}
