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
	"strings"
	"time"

	"github.com/go-logr/logr"
)

// keepLeft is how long it is remembered where the watch of a cluster stopped that has
// left.
const keepLeft = time.Hour

// rest notes that the watch of s, which does not run, is not used any more.
func (f *fleet) rest(s *site) {
	if name := s.watcher.name.Load(); name != nil {
		f.idle[*name] = f.Clock.Now()
	}
}

// forget forgets the watches that have not been used for an hour or more. The channel
// receives when the next one is to be forgotten; stop releases it.
func (f *fleet) forget(ctx context.Context) (next <-chan time.Time, stop func()) {
	now := f.Clock.Now()
	first := time.Duration(0)
	due := func(since time.Time) bool {
		left := since.Add(keepLeft).Sub(now)
		if left > 0 && (first == 0 || left < first) {
			first = left
		}
		return left <= 0
	}
	f.search(ctx, now)
	for name, s := range f.sites {
		if !s.runs() && !s.left.IsZero() && due(s.left) {
			delete(f.sites, name)
		}
	}
	for name, since := range f.idle {
		if !due(since) {
			continue
		}
		if f.mayUse(name) {
			f.idle[name] = now
			continue
		}
		delete(f.idle, name)
		if err := f.Resumes.Forget(ctx, name); err != nil {
			logr.FromContextOrDiscard(ctx).Info("watch of a cluster that left not forgotten", "reason", err.Error())
		}
	}
	if first == 0 {
		return nil, func() {}
	}
	t := f.Clock.NewTimer(first)
	return t.C(), func() { t.Stop() }
}

// mayUse reports whether a watch that runs uses that of a name in the store, or may,
// since it has not reached its cluster yet.
func (f *fleet) mayUse(name string) bool {
	_, key, _ := strings.Cut(name, " ")
	cluster, _ := f.clusterOf(key)
	s := f.sites[cluster]
	if s == nil || !s.runs() {
		return false
	}
	used := s.watcher.name.Load()
	return used == nil || *used == name
}

// search finds the watches that the store has, once.
func (f *fleet) search(ctx context.Context, now time.Time) {
	if f.searched || f.Resumes == nil {
		return
	}
	watches, err := f.Resumes.Watches(ctx)
	if err != nil {
		return // and tried again with the next change
	}
	f.searched = true
	for _, name := range watches {
		_, key, _ := strings.Cut(name, " ")
		if _, ok := f.clusterOf(key); ok {
			f.idle[name] = now
		}
	}
}
