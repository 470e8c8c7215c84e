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
	"slices"
	"sync"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// clusterWatch is the watch of one cluster of a watchGroup.
type clusterWatch struct {
	watcher *watcher
	// cluster is the cluster that is watched, and triggers are those that select it.
	cluster  multicluster.Cluster
	triggers []event.TriggerRef
	// cancel stops the watch; it is nil if the watch is not running. ended is closed
	// when the watch has stopped.
	cancel context.CancelFunc
	ended  chan struct{}
	// unselectedSince is the time since when no trigger selects the cluster, or it
	// has left; the zero time while it is selected.
	unselectedSince time.Time
}

func (cw *clusterWatch) isRunning() bool { return cw.cancel != nil }

// upToDate reports whether the watch is running over the connection of c and for these
// triggers.
func (cw *clusterWatch) upToDate(c multicluster.Cluster, triggers []event.TriggerRef) bool {
	return cw.isRunning() && cw.cluster.Endpoint == c.Endpoint && slices.Equal(cw.triggers, triggers) &&
		cw.cluster.Connection == c.Connection
}

// configure sets the connection and the triggers of a watch that is not running.
func (cw *clusterWatch) configure(c multicluster.Cluster, triggers []event.TriggerRef) {
	cw.cluster, cw.triggers, cw.unselectedSince = c, triggers, time.Time{}
	w := cw.watcher
	w.Client, w.Metadata, w.Server = c.Connection.Dynamic, c.Connection.Metadata, c.Connection.Server
	if w.mapper.mapper != c.Connection.Mapper {
		w.mapper.mapper, w.mapping = c.Connection.Mapper, nil
	}
	if w.subscribers.selectTriggers(triggers) {
		w.syncedTo, w.syncWatermark = "", &watermark{}
	}
}

// start runs the watch in a goroutine of running, until ctx ends or stop is called. If
// the watch ends with an error, failed receives it.
func (cw *clusterWatch) start(ctx context.Context, running *sync.WaitGroup, sink source.Sink, failed chan<- error) {
	ctx, cw.cancel = context.WithCancel(ctx)
	ended := make(chan struct{})
	cw.ended = ended
	running.Go(func() {
		defer close(ended)
		if err := cw.watcher.Run(ctx, sink); err != nil {
			failed <- err
		}
	})
}

// stop stops the watch and waits for its end.
func (cw *clusterWatch) stop() {
	if cw.cancel != nil {
		cw.cancel()
		<-cw.ended
		cw.cancel = nil
	}
}
