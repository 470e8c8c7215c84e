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

// everyCluster is the scope of all joined clusters. Other scopes are the names of
// clusters.
const everyCluster = ""

// View is what is known of some joined clusters, from Clusters.View until Close.
type View struct {
	clusters  *Clusters
	followers []*follower
	changed   chan struct{}
}

// Known is what a View shows.
type Known struct {
	// Joined are the clusters, by name, as they were last known.
	Joined map[string]Cluster
	// All is why it is not known which clusters are joined, and Named why that is
	// not known of those of a name. It is nil where it is known.
	All   error
	Named map[string]error
	// Once has the names of which it was known once, and the empty one for all.
	Once map[string]bool
}

// View returns a view of the clusters of some names, and of all where that is set.
// Views share what they follow. Log is that of ctx.
func (c *Clusters) View(ctx context.Context, names []string, all bool) *View {
	scopes := slices.Clone(names)
	if all {
		scopes = append(scopes, everyCluster)
	}
	v := &View{clusters: c, changed: make(chan struct{}, 1)}
	slices.Sort(scopes)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, scope := range slices.Compact(scopes) {
		f := c.followers[scope]
		if f == nil {
			f = c.follow(ctx, scope)
			c.followers[scope] = f
		}
		f.open(v)
		v.followers = append(v.followers, f)
	}
	return v
}

// Changed receives after Now has changed.
func (v *View) Changed() <-chan struct{} { return v.changed }

func (v *View) signal() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// Now returns what is known.
func (v *View) Now() Known {
	known := Known{Joined: map[string]Cluster{}, Named: map[string]error{}, Once: map[string]bool{}}
	for _, f := range v.followers {
		joined, once, err := f.now()
		maps.Copy(known.Joined, joined)
		known.Once[f.scope] = once
		switch {
		case err == nil:
		case f.scope == everyCluster:
			known.All = err
		default:
			known.Named[f.scope] = err
		}
	}
	return known
}

// Close ends what nobody else follows, and returns when it has ended.
func (v *View) Close() {
	v.clusters.mu.Lock()
	var alone []*follower
	for _, f := range v.followers {
		if f.close(v) {
			delete(v.clusters.followers, f.scope)
			alone = append(alone, f)
		}
	}
	v.clusters.mu.Unlock()
	for _, f := range alone {
		f.stop()
		<-f.ended
	}
}
