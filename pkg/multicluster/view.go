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

package multicluster

import (
	"context"
	"maps"
	"slices"
)

// allClusters is the scope of all joined clusters. Other scopes are the names of
// clusters.
const allClusters = ""

// Watcher is what is known of some joined clusters, from Clusters.View until Close.
type Watcher struct {
	clusters   *Clusters
	reflectors []*reflector
	changed    chan struct{}
}

// Snapshot is what a View shows.
type Snapshot struct {
	// Joined are the clusters, by name, as they were last known.
	Joined map[string]Cluster
	// ListErr is why it is not known which clusters are joined, and Named why that is
	// not known of those of a name. It is nil where it is known.
	ListErr error
	Errs    map[string]error
	// Synced has the names of which it was known once, and the empty one for all.
	Synced map[string]bool
}

// Watch returns a view of the clusters of some names, and of all where that is set.
// Views share what they follow. Log is that of ctx.
func (c *Clusters) Watch(ctx context.Context, names []string, all bool) *Watcher {
	scopes := slices.Clone(names)
	if all {
		scopes = append(scopes, allClusters)
	}
	w := &Watcher{clusters: c, changed: make(chan struct{}, 1)}
	slices.Sort(scopes)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, scope := range slices.Compact(scopes) {
		r := c.reflectors[scope]
		if r == nil {
			r = c.startReflector(ctx, scope)
			c.reflectors[scope] = r
		}
		r.add(w)
		w.reflectors = append(w.reflectors, r)
	}
	return w
}

// Changed receives after Now has changed.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

func (w *Watcher) notify() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Snapshot returns what is known.
func (w *Watcher) Snapshot() Snapshot {
	snapshot := Snapshot{Joined: map[string]Cluster{}, Errs: map[string]error{}, Synced: map[string]bool{}}
	for _, r := range w.reflectors {
		joined, synced, err := r.snapshot()
		maps.Copy(snapshot.Joined, joined)
		snapshot.Synced[r.scope] = synced
		switch {
		case err == nil:
		case r.scope == allClusters:
			snapshot.ListErr = err
		default:
			snapshot.Errs[r.scope] = err
		}
	}
	return snapshot
}

// Close ends what nobody else follows, and returns when it has ended.
func (w *Watcher) Close() {
	w.clusters.mu.Lock()
	var unused []*reflector
	for _, r := range w.reflectors {
		if r.remove(w) {
			delete(w.clusters.reflectors, r.scope)
			unused = append(unused, r)
		}
	}
	w.clusters.mu.Unlock()
	for _, r := range unused {
		r.stop()
		<-r.ended
	}
}
