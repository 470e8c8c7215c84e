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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// handle handles an event of the watch stream other than an error.
func (w *watcher) handle(ctx context.Context, sink source.Sink, got watch.Event) error {
	o, ok := got.Object.(*unstructured.Unstructured)
	if !ok {
		return interruptedError{fmt.Errorf("watch %s: unexpected %T in %s event", w, got.Object, got.Type)}
	}
	reached := o.GetResourceVersion()
	key, v := keyOf(o.GetNamespace(), o.GetName()), versionOf(reached)
	id, _ := identify(string(o.GetUID()))
	known, isKnown := w.inventory.entries[key]
	switch {
	case got.Type == watch.Bookmark:
	case isKnown && v.before(known.version), !w.tombstones[key].before(v) && w.tombstones[key] != 0:
		// repeated by the API server, or done before the restart
	case got.Type == watch.Added, got.Type == watch.Modified:
		if err := w.handleObject(ctx, sink, o, reached, w.subscribers.forEvent(v)); err != nil {
			return err
		}
	case got.Type == watch.Deleted && isKnown && known.identity == id:
		if err := w.handleDelete(ctx, sink, o, reached); err != nil {
			return err
		}
	}
	w.advanceTo(reached)
	w.subscribers.clearNew()
	return nil
}

// handleObject delivers the creation or the update of o to targets, and records o. It
// does nothing if the version of o is recorded already. reached is the position of o on
// the stream, or empty if o is from a list.
func (w *watcher) handleObject(ctx context.Context, sink source.Sink, o metav1.Object, reached string, targets []event.TriggerRef) error {
	key, v := keyOf(o.GetNamespace(), o.GetName()), versionOf(o.GetResourceVersion())
	known, isKnown := w.inventory.entries[key]
	id, _ := identify(string(o.GetUID()))
	kind := event.Create
	switch {
	case isKnown && known.identity == id && known.version == v:
		w.record(key, o)
		return nil
	case isKnown && known.identity == id:
		kind = event.Update
	case isKnown:
		if err := w.handleVanished(ctx, sink, key, targets); err != nil {
			return err
		}
	}
	ev, writer := newEvent(kind, w.eventCluster(), o.(*unstructured.Unstructured), w.Clock.Now())
	d := source.Delivery{Triggers: targets, Writer: writer}
	before := w.inventory.fieldStates[key]
	now := w.tracker.observe(before, ev.Data)
	if kind == event.Update {
		ev.Old, d.Unchanged = before.decodeOld(), w.tracker.unchanged(before, now)
	}
	if err := w.deliver(ctx, sink, ev, d, reached, before, now, inventoryUpdate{entry: w.newEntry(o, now)}); err != nil {
		return err
	}
	w.inventory.put(key, string(o.GetUID()), o.GetResourceVersion())
	w.inventory.setFields(key, now, w.tracker)
	return nil
}

// handleDelete delivers the deletion of o at the position reached on the stream.
func (w *watcher) handleDelete(ctx context.Context, sink source.Sink, o *unstructured.Unstructured, reached string) error {
	deletedAt := versionOf(reached)
	if deletedAt&hashed != 0 {
		deletedAt = 0
	}
	ev, _ := newEvent(event.Delete, w.eventCluster(), o, w.Clock.Now())
	ev.Old = w.inventory.fieldStates[ev.Key].decodeOld()
	d := source.Delivery{Triggers: w.subscribers.forEvent(versionOf(reached))}
	if err := w.deliver(ctx, sink, ev, d, reached, fieldState{}, fieldState{}, inventoryUpdate{deletedAt: deletedAt}); err != nil {
		return err
	}
	w.inventory.remove(ev.Key)
	return nil
}

// handleVanished delivers the deletion of the object at key, whose last state is
// unknown, and removes it from the inventory.
func (w *watcher) handleVanished(ctx context.Context, sink source.Sink, key string, targets []event.TriggerRef) error {
	ev := newVanishedEvent(w.kind, w.eventCluster(), key, w.inventory.uid(key), w.inventory.entries[key].version, w.Clock.Now())
	ev.Old = w.inventory.fieldStates[key].decodeOld()
	if err := w.deliver(ctx, sink, ev, source.Delivery{Triggers: targets}, "", fieldState{}, fieldState{}, inventoryUpdate{}); err != nil {
		return err
	}
	w.inventory.remove(key)
	return nil
}

// deliver delivers ev, which is at the position reached, and blocks until the sink
// accepts it. Events that are irrelevant to the derived source are done at once.
func (w *watcher) deliver(ctx context.Context, sink source.Sink, ev event.Event, d source.Delivery, reached string, before, now fieldState, update inventoryUpdate) error {
	done, cancel := w.checkpointer.begin(ev.Key, reached, update)
	ev, relevant := w.derive(ev, before, now)
	if !relevant {
		done()
		return nil
	}
	d.Done = done
	if err := sink.Deliver(ctx, ev, d); err != nil {
		cancel()
		return fmt.Errorf("deliver %s: %w", ev.ID, err)
	}
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

// record adds o and its field state to the inventory.
func (w *watcher) record(key string, o metav1.Object) {
	w.inventory.put(key, string(o.GetUID()), o.GetResourceVersion())
	if !w.tracker.empty() {
		w.inventory.setFields(key, w.tracker.observe(w.inventory.fieldStates[key], eventData(o)), w.tracker)
	}
}

// recordedEntry returns the store entry of o, which was recorded.
func (w *watcher) recordedEntry(key string, o metav1.Object) *store.Entry {
	return w.newEntry(o, w.inventory.fieldStates[key])
}

// newEntry returns the store entry of o with its field state.
func (w *watcher) newEntry(o metav1.Object, s fieldState) *store.Entry {
	return &store.Entry{UID: string(o.GetUID()), ResourceVersion: o.GetResourceVersion(), State: w.tracker.marshal(s)}
}
