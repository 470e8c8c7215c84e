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

// follower follows the clusters of one scope.
type follower struct {
	scope string
	stop  context.CancelFunc
	ended chan struct{}

	mu     sync.Mutex
	views  map[*View]bool
	joined map[string]Cluster
	// once is set when joined is known, and err is why it was not the last time.
	once bool
	err  error
}

// follow follows the clusters of scope until the follower is stopped.
func (c *Clusters) follow(ctx context.Context, scope string) *follower {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // others may use it longer than who is first
	f := &follower{
		scope: scope, stop: stop, ended: make(chan struct{}),
		views: map[*View]bool{}, joined: map[string]Cluster{},
	}
	go func() {
		defer close(f.ended)
		c.run(ctx, f)
	}()
	return f
}

func (c *Clusters) run(ctx context.Context, f *follower) {
	log := logr.FromContextOrDiscard(ctx)
	for delay := lookSoon; ctx.Err() == nil; {
		again, err := c.look(ctx, f)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			delay = lookSoon
		} else {
			if f.fail(err) {
				log.Info("joined clusters not read; trying again", "reason", err.Error())
			}
			again, delay = delay, min(2*delay, lookEvery)
		}
		if again > 0 {
			select {
			case <-ctx.Done():
			case <-c.clock.After(again):
			}
		}
	}
}

// look reads the clusters of f, and follows them where that is possible. It returns
// after what time to look again.
func (c *Clusters) look(ctx context.Context, f *follower) (time.Duration, error) {
	way, err := c.way(ctx)
	if err != nil {
		return 0, err
	}
	if way == Gateway {
		return lookEvery, c.ask(ctx, f)
	}
	return c.watch(ctx, f)
}

func (f *follower) open(v *View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.views[v] = true
}

// close reports whether v was the last view.
func (f *follower) close(v *View) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.views, v)
	return len(f.views) == 0
}

func (f *follower) now() (joined map[string]Cluster, once bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.joined), f.once, f.err
}

// of returns what is known of one cluster.
func (f *follower) of(name string) (found Cluster, known bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.once || f.err != nil {
		return Cluster{}, false, nil
	}
	found, joined := f.joined[name]
	if !joined {
		return Cluster{}, true, notJoined(name)
	}
	return found, true, nil
}

// take notes which clusters are joined.
func (f *follower) take(joined map[string]Cluster) {
	f.change(func() { f.joined, f.once, f.err = joined, true, nil })
}

// put notes a cluster that is joined, and drop one that is not.
func (f *follower) put(found Cluster) {
	f.change(func() { f.joined[found.Name] = found })
}

func (f *follower) drop(name string) {
	f.change(func() { delete(f.joined, name) })
}

// fail notes why the clusters are not known, and reports whether that is news.
func (f *follower) fail(err error) (news bool) {
	f.change(func() {
		news = f.err == nil || f.err.Error() != err.Error()
		f.err = err
	})
	return news
}

func (f *follower) change(by func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by()
	for v := range f.views {
		v.signal()
	}
}
