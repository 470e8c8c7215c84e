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
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubevela/kube-trigger/pkg/sleep"
)

// reflector lists and watches the clusters of one scope for all its watchers.
type reflector struct {
	scope string
	stop  context.CancelFunc
	ended chan struct{}

	mu       sync.Mutex
	watchers map[*Watcher]bool
	joined   map[string]Cluster
	// synced is set after the first successful list. err is the error of the last
	// list, or nil.
	synced bool
	err    error
}

// startReflector starts a reflector of scope, which runs until it is stopped.
func (c *Clusters) startReflector(ctx context.Context, scope string) *reflector {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // other watchers may outlive the first
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

// run refreshes r until ctx ends, with backoff after errors.
func (c *Clusters) run(ctx context.Context, r *reflector) {
	log := logr.FromContextOrDiscard(ctx)
	backoff := newBackoff()
	for ctx.Err() == nil {
		next, err := c.refresh(ctx, r)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			backoff = newBackoff()
		} else {
			if r.setError(err) {
				log.Info("listing joined clusters failed; retrying", "reason", err.Error())
			}
			next = backoff.Step()
		}
		if next > 0 && !sleep.For(ctx, c.clock, next) {
			return
		}
	}
}

// newBackoff returns the delays after lists that failed.
func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: relistDelay, Factor: 2, Steps: 10, Cap: pollInterval}
}

// refresh lists the clusters of r, and watches them if possible. It returns the delay
// before the next refresh.
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

// remove removes w, and reports whether it was the last watcher.
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

// get returns a cluster, or a NotFound error if it is not joined. known is false if
// the last list failed or has not completed.
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

// replace sets the joined clusters.
func (r *reflector) replace(joined map[string]Cluster) {
	r.update(func() { r.joined, r.synced, r.err = joined, true, nil })
}

// set adds or replaces a joined cluster.
func (r *reflector) set(cluster Cluster) {
	r.update(func() { r.joined[cluster.Name] = cluster })
}

// delete removes a cluster that is no longer joined.
func (r *reflector) delete(name string) {
	r.update(func() { delete(r.joined, name) })
}

// setError sets the error of the last list, and reports whether it differs from the
// one before.
func (r *reflector) setError(err error) (changed bool) {
	r.update(func() {
		changed = r.err == nil || r.err.Error() != err.Error()
		r.err = err
	})
	return changed
}

// update calls mutate with the lock held, then notifies the watchers.
func (r *reflector) update(mutate func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mutate()
	for w := range r.watchers {
		w.notify()
	}
}
