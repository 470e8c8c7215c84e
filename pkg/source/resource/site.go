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
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/multicluster"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// site is the watch in one cluster of a fleet.
type site struct {
	watcher *watcher
	// retries are those of the watch. It resets them when it works.
	retries backoff
	// cluster is how it is reached, and here the triggers that select it.
	cluster multicluster.Cluster
	here    []event.Trigger
	// cancel ends the watch; nil where it does not run. Ended is closed then.
	cancel context.CancelFunc
	ended  chan struct{}
	// left is since when the cluster is not selected any more.
	left time.Time
}

func (s *site) runs() bool { return s.cancel != nil }

// same reports whether the watch runs as it should.
func (s *site) same(c multicluster.Cluster, here []event.Trigger) bool {
	return s.runs() && s.cluster.Endpoint == c.Endpoint && slices.Equal(s.here, here) &&
		(s.cluster.Connection == c.Connection || c.Name == multicluster.Local)
}

// take has the watch, which does not run, reach the cluster as c does, for the
// triggers of here.
func (s *site) take(c multicluster.Cluster, here []event.Trigger) {
	s.cluster, s.here, s.left = c, here, time.Time{}
	w := s.watcher
	w.Client, w.Metadata, w.Server = c.Connection.Dynamic, c.Connection.Metadata, c.Connection.Server
	if w.kinds.mapper != c.Connection.Mapper {
		w.kinds.mapper, w.mapping = c.Connection.Mapper, nil
	}
	if w.members.choose(here) {
		w.announced, w.announcing = "", &mark{}
	}
}

func (s *site) start(ctx context.Context, running *sync.WaitGroup, run func(context.Context)) {
	ctx, s.cancel = context.WithCancel(ctx)
	ended := make(chan struct{})
	s.ended = ended
	running.Go(func() {
		defer close(ended)
		run(ctx)
	})
}

// stop ends the watch and returns when it has ended.
func (s *site) stop() {
	if s.cancel != nil {
		s.cancel()
		<-s.ended
		s.cancel = nil
	}
}

// once runs the watch. A panic is its error.
func (s *site) once(ctx context.Context, sink source.Sink) (err error) {
	defer func() {
		if p := recover(); p != nil {
			logr.FromContextOrDiscard(ctx).Info("watch panicked", "stack", string(debug.Stack()))
			err = fmt.Errorf("watch %s: panic with a value of type %T", s.watcher, p)
		}
	}()
	if err := s.watcher.Run(ctx, sink); err != nil {
		return err
	}
	return errors.New("ended by itself")
}
