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
	// minWatchTimeout and maxWatchTimeout limit the timeout of a watch request. It is
	// random, so that clients do not all reconnect to a restarted API server at once.
	minWatchTimeout = 5 * time.Minute
	maxWatchTimeout = 10 * time.Minute
	// watchTimeoutGrace is the time after the timeout when a stream that the API server
	// has not closed is closed by the client.
	watchTimeoutGrace = 30 * time.Second
	// healthyAfter is the duration after which a stream without events counts as
	// healthy.
	healthyAfter = 5 * time.Second
)

// watch watches from the position until the stream ends. It returns nil if the stream
// was healthy and can be reopened at once.
func (w *watcher) watch(ctx context.Context, sink source.Sink) error {
	lifetime := minWatchTimeout + rand.N(maxWatchTimeout-minWatchTimeout)
	seconds := int64(lifetime.Seconds())
	stream, err := w.Client.Resource(w.mapping.Resource).Namespace(w.namespace).Watch(ctx, w.listOptions(metav1.ListOptions{
		ResourceVersion:     w.position,
		AllowWatchBookmarks: true,
		TimeoutSeconds:      &seconds,
	}))
	if apierrors.IsForbidden(err) {
		err = w.forbiddenError(ctx)
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", w, err)
	}
	defer stream.Stop()
	w.reportWatching(ctx)
	opened := w.Clock.Now()
	deadline := w.Clock.NewTimer(lifetime + watchTimeoutGrace)
	defer deadline.Stop()
	for healthy := false; ; healthy = true {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C():
			return interruptedError{fmt.Errorf("watch %s: not closed by the API server after %s", w, lifetime)}
		case got, open := <-stream.ResultChan():
			if !open {
				if healthy || w.Clock.Since(opened) >= healthyAfter {
					return ctx.Err()
				}
				return interruptedError{fmt.Errorf("watch %s: closed at once", w)}
			}
			if got.Type == watch.Error {
				return interruptedError{fmt.Errorf("watch %s: %w", w, apierrors.FromObject(got.Object))}
			}
			if err := w.handle(ctx, sink, got); err != nil {
				return err
			}
			w.backoff = newBackoff()
		}
	}
}

// reportWatching reports that the watch is established, and logs it the first time.
func (w *watcher) reportWatching(ctx context.Context) {
	w.reportStatus(nil)
	if !w.loggedWatching {
		logr.FromContextOrDiscard(ctx).Info("watching", "objects", w.tracker.size(), "resourceVersion", w.position)
		w.loggedWatching = true
	}
}
