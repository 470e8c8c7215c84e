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
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// handle handles an event of the watch stream other than an error.
func (w *watcher) handle(ctx context.Context, sink source.Sink, got watch.Event) error {
	o, ok := got.Object.(*unstructured.Unstructured)
	if !ok {
		return interruptedError{fmt.Errorf("watch %s: unexpected %T in %s event", w, got.Object, got.Type)}
	}
	reached := o.GetResourceVersion()
	if got.Type != watch.Bookmark {
		how := modified
		if got.Type == watch.Deleted {
			how = deleted
		}
		if _, err := w.observe(ctx, sink, how, o, reached, w.subscribers.forEvent(versionOf(reached))); err != nil {
			return err
		}
	}
	w.advanceTo(reached)
	w.subscribers.clearNew()
	return nil
}

// observe delivers what an observed object changes to targets, and commits it. reached
// is the position of o on the stream, or empty if o is from a list. It returns the delta
// of o itself.
func (w *watcher) observe(ctx context.Context, sink source.Sink, how observation, o metav1.Object, reached string, targets []event.TriggerRef) (delta, error) {
	if how >= listed || !w.tracker.fields.empty() {
		u, err := w.object(o)
		if err != nil {
			return delta{}, err
		}
		o = u
	}
	d := w.tracker.apply(how, o)
	if d.replaced {
		if err := w.deliver(ctx, sink, &d, "", targets); err != nil {
			return d, err
		}
		d = w.tracker.apply(how, o)
	}
	err := w.deliver(ctx, sink, &d, reached, targets)
	return d, err
}

// deliverVanished delivers the deletion of the objects at keys, whose last states are
// unknown.
func (w *watcher) deliverVanished(ctx context.Context, sink source.Sink, keys map[string]bool, targets []event.TriggerRef) error {
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		d := w.tracker.vanish(key)
		if err := w.deliver(ctx, sink, &d, "", targets); err != nil {
			return err
		}
	}
	return nil
}

// deliver delivers the event of d, which is at the position reached, blocks until the
// sink accepts it, and commits d. Events that are irrelevant to the derived source are
// done at once.
func (w *watcher) deliver(ctx context.Context, sink source.Sink, d *delta, reached string, targets []event.TriggerRef) error {
	if d.event.Type != "" {
		done, cancel := w.checkpointer.begin(d.key, reached, d.update)
		if d.irrelevant {
			done()
		} else {
			d.delivery.Triggers, d.delivery.MetadataOnly, d.delivery.Done = targets, w.metadataOnly, done
			w.setReload(&d.delivery, d.event, w.tracker.inventory.fieldStates[d.key].state, d.fields.state)
			if err := sink.Deliver(ctx, d.event, d.delivery); err != nil {
				cancel()
				return fmt.Errorf("deliver %s: %w", d.event.ID, err)
			}
		}
	}
	w.tracker.commit(d)
	return nil
}

// advanceTo sets the position: all events up to resourceVersion were delivered.
func (w *watcher) advanceTo(resourceVersion string) {
	w.position = resourceVersion
	w.checkpointer.advance(resourceVersion)
	if w.subscribers.hasPendingStart() {
		committed, _ := w.checkpointer.watermark.Committed()
		w.subscribers.committed(versionOf(committed))
	}
}
