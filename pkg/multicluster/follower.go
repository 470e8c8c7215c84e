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
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// reflector follows the clusters of one scope.
type reflector struct {
	scope string
	stop  context.CancelFunc
	ended chan struct{}

	mu       sync.Mutex
	watchers map[*Watcher]bool
	joined   map[string]Cluster
	// synced is set when joined is known, and err is why it was not the last time.
	synced bool
	err    error
}

// startReflector follows the clusters of scope until the follower is stopped.
func (c *Clusters) startReflector(ctx context.Context, scope string) *reflector {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // others may use it longer than who is first
	r := &reflector{
		scope: scope, stop: stop, ended: make(chan struct{}),
		watchers: map[*Watcher]bool{}, joined: map[string]Cluster{},
	}
	go func() {
		defer close(r.ended)
		c.run(ctx, r)
	}()
	return r
}

func (c *Clusters) run(ctx context.Context, r *reflector) {
	log := logr.FromContextOrDiscard(ctx)
	for delay := relistDelay; ctx.Err() == nil; {
		next, err := c.refresh(ctx, r)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			delay = relistDelay
		} else {
			if r.setError(err) {
				log.Info("joined clusters not read; trying again", "reason", err.Error())
			}
			next, delay = delay, min(2*delay, pollInterval)
		}
		if next > 0 {
			select {
			case <-ctx.Done():
			case <-c.clock.After(next):
			}
		}
	}
}

// refresh reads the clusters of f, and follows them where that is possible. It returns
// after what time to look again.
func (c *Clusters) refresh(ctx context.Context, r *reflector) (time.Duration, error) {
	access, err := c.resolveAccess(ctx)
	if err != nil {
		return 0, err
	}
	if access == Gateway {
		return pollInterval, c.poll(ctx, r)
	}
	return c.listAndWatch(ctx, r)
}

func (r *reflector) add(w *Watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers[w] = true
}

// remove reports whether v was the last view.
func (r *reflector) remove(w *Watcher) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.watchers, w)
	return len(r.watchers) == 0
}

func (r *reflector) snapshot() (joined map[string]Cluster, synced bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.joined), r.synced, r.err
}

// get returns what is known of one cluster.
func (r *reflector) get(name string) (cluster Cluster, known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.synced || r.err != nil {
		return Cluster{}, false, nil
	}
	cluster, joined := r.joined[name]
	if !joined {
		return Cluster{}, true, notJoined(name)
	}
	return cluster, true, nil
}

// replace notes which clusters are joined.
func (r *reflector) replace(joined map[string]Cluster) {
	r.update(func() { r.joined, r.synced, r.err = joined, true, nil })
}

// set notes a cluster that is joined, and drop one that is not.
func (r *reflector) set(cluster Cluster) {
	r.update(func() { r.joined[cluster.Name] = cluster })
}

func (r *reflector) delete(name string) {
	r.update(func() { delete(r.joined, name) })
}

// setError notes why the clusters are not known, and reports whether that is news.
func (r *reflector) setError(err error) (changed bool) {
	r.update(func() {
		changed = r.err == nil || r.err.Error() != err.Error()
		r.err = err
	})
	return changed
}

func (r *reflector) update(mutate func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mutate()
	for w := range r.watchers {
		w.notify()
	}
}
