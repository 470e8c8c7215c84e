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

package config

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/reference"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/source/resource"
)

// retryDelay is the time until a watch that failed is tried again.
const retryDelay = 5 * time.Second

// watches has the watch of each object.
type watches struct {
	key     string
	options resource.Options
	sources map[reference.Reference]source.Source

	mu sync.Mutex
	// statuses has the status of each watch that has one: nil if it is running.
	statuses map[reference.Reference]error
}

// Run implements source.Source. It returns when ctx ends: watches that fail are tried again.
func (w *watches) Run(ctx context.Context, sink source.Sink) error {
	w.publish()
	var running sync.WaitGroup
	for r, s := range w.sources {
		running.Go(func() { w.run(ctx, r, s, sink) })
	}
	running.Wait()
	<-ctx.Done()
	return nil
}

// run runs the watch of one object until ctx ends.
func (w *watches) run(ctx context.Context, r reference.Reference, s source.Source, sink source.Sink) {
	for {
		err := s.Run(ctx, sink)
		if ctx.Err() != nil {
			return
		}
		logr.FromContextOrDiscard(ctx).Info("watch failed; retrying", "kind", r.Kind, "name", r.Name, "reason", fmt.Sprint(err), "delay", retryDelay)
		w.setStatus(r, err)
		if !sleep.For(ctx, w.options.Clock, retryDelay) {
			return
		}
	}
}

// setStatus sets the status of the watch of an object: nil if it is running.
func (w *watches) setStatus(r reference.Reference, err error) {
	w.mu.Lock()
	w.statuses[r] = err
	w.mu.Unlock()
	w.publish()
}

// publish reports the first error of a watch, or that all are running.
func (w *watches) publish() {
	if w.options.OnStatus == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range slices.SortedFunc(maps.Keys(w.statuses), reference.Reference.Compare) {
		if err := w.statuses[r]; err != nil {
			w.options.OnStatus(w.key, err)
			return
		}
	}
	if len(w.statuses) == len(w.sources) {
		w.options.OnStatus(w.key, nil)
	}
}
