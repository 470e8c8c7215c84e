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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/pkg/event"
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
	w.announce(ctx)
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

// announce says, the first time, that changes are events from now on.
func (w *watcher) announce(ctx context.Context) {
	if !w.announced {
		logr.FromContextOrDiscard(ctx).Info("watching", "objects", len(w.inventory.entries), "resourceVersion", w.position)
		w.announced = true
	}
}

// take handles one event of the stream, other than an error.
func (w *watcher) take(ctx context.Context, sink source.Sink, got watch.Event) error {
	o, ok := got.Object.(*unstructured.Unstructured)
	if !ok {
		return interruption{fmt.Errorf("watch %s: %s of unexpected %T", w, got.Type, got.Object)}
	}
	reached := o.GetResourceVersion()
	known, isKnown := w.inventory.entries[keyOf(o.GetNamespace(), o.GetName())]
	id, _ := identify(string(o.GetUID()))
	same := isKnown && known.identity == id
	switch {
	case got.Type == watch.Bookmark:
	case same && versionOf(reached).before(known.version):
		// repeated by the API server; what came after it has been handled
	case got.Type == watch.Added, got.Type == watch.Modified:
		if err := w.observe(ctx, sink, o, event.Create, reached); err != nil {
			return err
		}
	case got.Type == watch.Deleted && same:
		if err := w.deliver(ctx, sink, happened(event.Delete, o, w.Clock.Now()), reached); err != nil {
			return err
		}
		w.inventory.remove(keyOf(o.GetNamespace(), o.GetName()))
	}
	w.reach(reached)
	return nil
}

// observe delivers that o is there, if that is news, as a newcomer where the
// inventory does not have it, and remembers it. Reached is the place of o on
// the stream, empty where it comes from a list.
func (w *watcher) observe(ctx context.Context, sink source.Sink, o *unstructured.Unstructured, newcomer, reached string) error {
	key, uid, resourceVersion := keyOf(o.GetNamespace(), o.GetName()), string(o.GetUID()), o.GetResourceVersion()
	known, isKnown := w.inventory.entries[key]
	id, _ := identify(uid)
	kind := newcomer
	switch {
	case isKnown && known.identity == id && known.version == versionOf(resourceVersion):
		return nil
	case isKnown && known.identity == id:
		kind = event.Update
	case isKnown:
		if err := w.bury(ctx, sink, key); err != nil {
			return err
		}
		kind = event.Create
	}
	if err := w.deliver(ctx, sink, happened(kind, o, w.Clock.Now()), reached); err != nil {
		return err
	}
	w.inventory.put(key, uid, resourceVersion)
	return nil
}

// bury delivers that the object at key is gone, in whatever state, and forgets
// it.
func (w *watcher) bury(ctx context.Context, sink source.Sink, key string) error {
	gone := vanished(w.kind, key, w.inventory.uid(key), w.inventory.entries[key].version, w.Clock.Now())
	if err := w.deliver(ctx, sink, gone, ""); err != nil {
		return err
	}
	w.inventory.remove(key)
	return nil
}

// deliver blocks until the sink has taken ev, which is at reached.
func (w *watcher) deliver(ctx context.Context, sink source.Sink, ev event.Event, reached string) error {
	done, cancel := w.mark.Begin(reached)
	if err := sink.Deliver(ctx, ev, done); err != nil {
		cancel()
		return fmt.Errorf("deliver %s: %w", ev.ID, err)
	}
	return nil
}

// reach notes that everything up to resourceVersion has been delivered.
func (w *watcher) reach(resourceVersion string) {
	w.position = resourceVersion
	w.mark.Pass(resourceVersion)
}
