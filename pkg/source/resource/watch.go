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
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/pkg/source"
)

// healthyAfter is the duration after which a stream without events counts as healthy.
const healthyAfter = 5 * time.Second

// watch watches from the position until the stream ends. It returns nil if the stream
// was healthy and can be reopened at once.
func (w *watcher) watch(ctx context.Context, sink source.Sink) error {
	events, err := w.subscribe(ctx)
	if apierrors.IsForbidden(err) {
		err = w.forbiddenError(ctx)
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", w, err)
	}
	defer events.stop()
	w.reportWatching(ctx)
	for healthy := false; ; healthy = true {
		got, err := events.read(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errEnded):
			if healthy || w.Clock.Since(events.stream.openedAt) >= healthyAfter {
				return nil
			}
			return interruptedError{fmt.Errorf("watch %s: closed at once", w)}
		case err != nil:
			return interruptedError{fmt.Errorf("watch %s: %w", w, err)}
		case got.Type == watch.Error:
			return interruptedError{fmt.Errorf("watch %s: %w", w, apierrors.FromObject(got.Object))}
		}
		if err := w.handle(ctx, sink, got); err != nil {
			return err
		}
		w.backoff = newBackoff()
	}
}

// subscribe returns a reader of the events after the position. Only streams of the worker's
// own cluster are shared: the credentials for another one may change.
func (w *watcher) subscribe(ctx context.Context) (*reader, error) {
	o := w.listOptions(metav1.ListOptions{ResourceVersion: w.position, AllowWatchBookmarks: true})
	streams := w.Streams
	if w.eventCluster() != "" {
		streams = &Streams{}
	}
	key := streamKey{w.mapping.Resource, w.namespace, o.LabelSelector, o.FieldSelector}
	r := reader{principal: w.principal(o), clock: w.Clock, position: versionOf(w.position)}
	if w.metadataOnly {
		r.metadataOf = w.kind
	}
	client := w.client.Load()
	return streams.subscribe(ctx, key, r, func(ctx context.Context, timeout int64) (watch.Interface, error) {
		o.TimeoutSeconds = &timeout
		return client.watch(ctx, w.namespace, w.metadataOnly, o)
	})
}

// reportWatching reports that the watch is established, and logs it the first time.
func (w *watcher) reportWatching(ctx context.Context) {
	w.reportStatus(nil)
	if !w.loggedWatching {
		logr.FromContextOrDiscard(ctx).Info("watching", "objects", w.tracker.size(), "resourceVersion", w.position)
		w.loggedWatching = true
	}
}
