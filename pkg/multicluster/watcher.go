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

// allClusters is the scope that includes all joined clusters. Every other scope is
// the name of one cluster.
const allClusters = ""

// Watcher watches some of the joined clusters, from Clusters.Watch until Close. The zero
// value watches none.
type Watcher struct {
	clusters   *Clusters
	reflectors []*reflector
	changed    chan struct{}
}

// Snapshot is the state of a Watcher's clusters at one time.
type Snapshot struct {
	// Joined holds the joined clusters, by name, as they were last read.
	Joined map[string]Cluster
	// ListErr is the error of listing all clusters, or nil.
	ListErr error
	// Errs holds the errors of looking up single clusters, by name.
	Errs map[string]error
	// Synced holds the names of the clusters that were looked up successfully at
	// least once, and the empty name if all clusters were listed once.
	Synced map[string]bool
}

// Watch watches the clusters with these names, and all joined clusters if all is
// set. Watchers of the same clusters share their requests. Errors are logged to the
// logger of ctx; the end of ctx does not end the watch.
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

// Changed returns a channel that receives after the snapshot has changed. Several
// changes may be received as one.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

func (w *Watcher) notify() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Snapshot returns the current state.
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

// Close stops watching clusters that no other Watcher watches, and returns when the
// requests for them have ended.
func (w *Watcher) Close() {
	if w.clusters == nil {
		return
	}
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
