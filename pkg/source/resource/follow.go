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
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/pkg/source"
)

const (
	// shortestWatch and longestWatch bound how long the API server is asked to
	// keep a stream open: at random, so that the clients of a restarted API
	// server do not all come back at once.
	shortestWatch = 5 * time.Minute
	longestWatch  = 10 * time.Minute
	// overdue is when a stream that the API server should have ended is given
	// up as stuck.
	overdue = 30 * time.Second
	// established is how long a stream has to last to be healthy although
	// nothing came.
	established = 5 * time.Second
)

// follow watches from the position on, until the stream ends: with nil where it
// was healthy and can be opened again at once.
func (w *watcher) follow(ctx context.Context, sink source.Sink) error {
	lifetime := shortestWatch + rand.N(longestWatch-shortestWatch)
	seconds := int64(lifetime.Seconds())
	stream, err := w.Client.Resource(w.mapping.Resource).Namespace(w.namespace).Watch(ctx, w.narrow(metav1.ListOptions{
		ResourceVersion:     w.position,
		AllowWatchBookmarks: true,
		TimeoutSeconds:      &seconds,
	}))
	if apierrors.IsForbidden(err) {
		err = w.denied(ctx)
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", w, err)
	}
	defer stream.Stop()
	w.report(ctx)
	opened := w.Clock.Now()
	deadline := w.Clock.NewTimer(lifetime + overdue)
	defer deadline.Stop()
	for healthy := false; ; healthy = true {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C():
			return interruption{fmt.Errorf("watch %s: not ended by the API server after %s", w, lifetime)}
		case got, open := <-stream.ResultChan():
			if !open {
				if healthy || w.Clock.Since(opened) >= established {
					return nil
				}
				return interruption{fmt.Errorf("watch %s: ended at once", w)}
			}
			if got.Type == watch.Error {
				return interruption{fmt.Errorf("watch %s: %w", w, apierrors.FromObject(got.Object))}
			}
			if err := w.take(ctx, sink, got); err != nil {
				return err
			}
			w.backoff.reset()
		}
	}
}

// report says, the first time, that changes are events from now on.
func (w *watcher) report(ctx context.Context) {
	w.tell(nil)
	if !w.reported {
		logr.FromContextOrDiscard(ctx).Info("watching", "objects", len(w.inventory.entries), "resourceVersion", w.position)
		w.reported = true
	}
}

// tell says what the watch waits for, or that it works.
func (w *watcher) tell(why error) {
	if w.Waits != nil {
		w.Waits(w.key(), why)
	}
}
