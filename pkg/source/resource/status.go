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

// setStatus sets the status of the watch of a cluster: nil if it is running. It is
// reported for each trigger if triggers select clusters, otherwise for the watch.
func (g *watchGroup) setStatus(cluster string, err error) {
	if !g.selectsClusters() {
		if g.OnStatus != nil {
			g.OnStatus(g.key(), err)
		}
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.statuses[cluster] = err
	g.publishStatusLocked()
}

// deleteStatus deletes the status of the watch of a cluster.
func (g *watchGroup) deleteStatus(cluster string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.statuses, cluster)
}

// publishStatus reports the status of each trigger to OnClusterStatus if it has
// changed.
func (g *watchGroup) publishStatus() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.publishStatusLocked()
}

// publishStatusLocked is publishStatus with g.mu held.
func (g *watchGroup) publishStatusLocked() {
	if g.OnClusterStatus == nil || !g.selectsClusters() {
		return
	}
	for _, s := range g.shared {
		unavailable, unknown := g.unavailableClusters(s.clusters)
		err := error(nil)
		if len(unavailable.Clusters) > 0 {
			err = unavailable
		} else if unknown > 0 && (unavailable.Ready == 0 || g.lastStatus[s.trigger.TriggerRef] != "") {
			continue // until the status of all clusters is known
		}
		text := fmt.Sprint(unavailable.Ready > 0, err)
		if g.lastStatus[s.trigger.TriggerRef] != text {
			g.lastStatus[s.trigger.TriggerRef] = text
			g.OnClusterStatus(s.trigger.TriggerRef, err)
		}
	}
}

// unavailableClusters returns the clusters of a selection that cannot be watched, and
// the number of clusters whose status is not known yet.
func (g *watchGroup) unavailableClusters(selection clusterSelection) (unavailable *multicluster.UnavailableError, unknown int) {
	unavailable = &multicluster.UnavailableError{Clusters: map[string]error{}}
	classify := func(name string) {
		err, ok := g.statuses[name]
		switch {
		case !ok:
			unknown++
		case err == nil:
			unavailable.Ready++
		default:
			unavailable.Clusters[name] = err
		}
	}
	for name, c := range g.snapshot.Joined {
		switch {
		case !selection.matches(c):
		case c.Err != nil:
			unavailable.Clusters[name] = c.Err
		default:
			classify(name)
		}
	}
	for _, name := range selection.names {
		_, joined := g.snapshot.Joined[name]
		switch {
		case name == multicluster.Local:
			classify(name)
		case joined:
		case g.snapshot.Errs[name] != nil:
			unavailable.Clusters[name] = g.snapshot.Errs[name]
		case g.snapshot.Synced[name]:
			unavailable.Clusters[name] = errors.New("not joined")
		default:
			unknown++
		}
	}
	if selection.labels != nil {
		if g.snapshot.ListErr != nil {
			unavailable.Clusters[""] = g.snapshot.ListErr
		} else if !g.snapshot.Synced[""] {
			unknown++
		}
	}
	return unavailable, unknown
}
