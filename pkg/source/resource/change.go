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

// take handles one event of the stream, other than an error.
func (w *watcher) take(ctx context.Context, sink source.Sink, got watch.Event) error {
	o, ok := got.Object.(*unstructured.Unstructured)
	if !ok {
		return interruption{fmt.Errorf("watch %s: %s of unexpected %T", w, got.Type, got.Object)}
	}
	reached := o.GetResourceVersion()
	key, v := keyOf(o.GetNamespace(), o.GetName()), versionOf(reached)
	id, _ := identify(string(o.GetUID()))
	known, isKnown := w.inventory.entries[key]
	switch {
	case got.Type == watch.Bookmark:
	case isKnown && v.before(known.version), !w.graves[key].before(v) && w.graves[key] != 0:
		// repeated by the API server, or done before a restart
	case got.Type == watch.Added, got.Type == watch.Modified:
		if err := w.observe(ctx, sink, o, reached, w.members.at(v)); err != nil {
			return err
		}
	case got.Type == watch.Deleted && isKnown && known.identity == id:
		if err := w.remove(ctx, sink, o, reached); err != nil {
			return err
		}
	}
	w.reach(reached)
	w.members.settle()
	return nil
}

// observe delivers to its triggers that o is there, if that is news, and
// remembers it. Reached is the place of o on the stream, empty where it comes
// from a list.
func (w *watcher) observe(ctx context.Context, sink source.Sink, o metav1.Object, reached string, to []event.Trigger) error {
	key, v := keyOf(o.GetNamespace(), o.GetName()), versionOf(o.GetResourceVersion())
	known, isKnown := w.inventory.entries[key]
	id, _ := identify(string(o.GetUID()))
	kind := event.Create
	switch {
	case isKnown && known.identity == id && known.version == v:
		w.remember(key, o)
		return nil
	case isKnown && known.identity == id:
		kind = event.Update
	case isKnown:
		if err := w.bury(ctx, sink, key, to); err != nil {
			return err
		}
	}
	ev := happened(kind, w.joined(), o.(*unstructured.Unstructured), w.Clock.Now())
	ev.For = to
	before := w.inventory.sights[key]
	now := w.lens.see(before, ev.Data)
	if kind == event.Update {
		ev.Old, ev.Unchanged = before.before(), w.lens.unchanged(before, now)
	}
	if err := w.deliver(ctx, sink, ev, reached, before, now, outcome{entry: w.entryOf(o, now)}); err != nil {
		return err
	}
	w.inventory.put(key, string(o.GetUID()), o.GetResourceVersion())
	w.inventory.look(key, now, w.lens)
	return nil
}

// remove delivers that o is gone, as of its place on the stream.
func (w *watcher) remove(ctx context.Context, sink source.Sink, o *unstructured.Unstructured, reached string) error {
	gone := versionOf(reached)
	if gone&hashed != 0 {
		gone = 0
	}
	ev := happened(event.Delete, w.joined(), o, w.Clock.Now())
	ev.For, ev.Old = w.members.at(versionOf(reached)), w.inventory.sights[ev.Key].before()
	if err := w.deliver(ctx, sink, ev, reached, sight{}, sight{}, outcome{gone: gone}); err != nil {
		return err
	}
	w.inventory.remove(ev.Key)
	return nil
}

// bury delivers that the object at key is gone, in whatever state, and forgets
// it.
func (w *watcher) bury(ctx context.Context, sink source.Sink, key string, to []event.Trigger) error {
	ev := vanished(w.kind, w.joined(), key, w.inventory.uid(key), w.inventory.entries[key].version, w.Clock.Now())
	ev.For, ev.Old = to, w.inventory.sights[key].before()
	if err := w.deliver(ctx, sink, ev, "", sight{}, sight{}, outcome{}); err != nil {
		return err
	}
	w.inventory.remove(key)
	return nil
}

// deliver blocks until the sink has taken ev, which is at reached and leaves
// after. What means nothing to a derived source is done at once.
func (w *watcher) deliver(ctx context.Context, sink source.Sink, ev event.Event, reached string, before, now sight, after outcome) error {
	done, cancel := w.progress.begin(ev.Key, reached, after)
	ev, isNews := w.derive(ev, before, now)
	if !isNews {
		done()
		return nil
	}
	if err := sink.Deliver(ctx, ev, done); err != nil {
		cancel()
		return fmt.Errorf("deliver %s: %w", ev.ID, err)
	}
	return nil
}

// reach notes that everything up to resourceVersion has been delivered.
func (w *watcher) reach(resourceVersion string) {
	w.position = resourceVersion
	w.progress.pass(resourceVersion)
	if w.members.late() {
		low, _ := w.progress.mark.Low()
		w.members.pass(versionOf(low))
	}
}

// remember puts o into the inventory as it is.
func (w *watcher) remember(key string, o metav1.Object) {
	w.inventory.put(key, string(o.GetUID()), o.GetResourceVersion())
	if !w.lens.empty() {
		w.inventory.look(key, w.lens.see(w.inventory.sights[key], dataOf(o)), w.lens)
	}
}

// entry is what is saved of o, which is in the inventory.
func (w *watcher) entry(key string, o metav1.Object) *store.Entry {
	return w.entryOf(o, w.inventory.sights[key])
}

func (w *watcher) entryOf(o metav1.Object, s sight) *store.Entry {
	return &store.Entry{UID: string(o.GetUID()), ResourceVersion: o.GetResourceVersion(), Seen: w.lens.pack(s)}
}
