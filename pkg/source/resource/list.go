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

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// listPages calls visit with each page of the objects, sorted by key, and returns the
// resourceVersion of the list. It lists the state at resourceVersion, or the current
// state if that is empty.
func (w *watcher) listPages(ctx context.Context, resourceVersion string, visit func([]metav1.Object) error) (string, error) {
	client := w.Client.Resource(w.mapping.Resource).Namespace(w.namespace)
	opts := w.listOptions(metav1.ListOptions{Limit: w.PageSize})
	if resourceVersion != "" {
		opts.ResourceVersion, opts.ResourceVersionMatch = resourceVersion, metav1.ResourceVersionMatchExact
	}
	for {
		page, err := client.List(ctx, opts)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", w, err)
		}
		objects := make([]metav1.Object, len(page.Items))
		for i := range page.Items {
			objects[i] = &page.Items[i]
		}
		if err := visit(objects); err != nil {
			return "", err
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			return page.GetResourceVersion(), nil
		}
		opts.ResourceVersion, opts.ResourceVersionMatch = "", ""
	}
}

// listMetadata is listPages for the metadata of the current objects.
func (w *watcher) listMetadata(ctx context.Context, visit func([]metav1.Object) error) (string, error) {
	client := w.Metadata.Resource(w.mapping.Resource).Namespace(w.namespace)
	opts := w.listOptions(metav1.ListOptions{Limit: w.PageSize})
	for {
		page, err := client.List(ctx, opts)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", w, err)
		}
		objects := make([]metav1.Object, len(page.Items))
		for i := range page.Items {
			objects[i] = &page.Items[i]
		}
		if err := visit(objects); err != nil {
			return "", err
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return page.ResourceVersion, nil
		}
	}
}

// listInitial records the objects that exist, without delivering them, and starts the
// watch at their resourceVersion. It delivers the deletion of recorded objects that no
// longer exist.
func (w *watcher) listInitial(ctx context.Context, sink source.Sink) error {
	list := w.listMetadata
	if !w.tracker.empty() {
		list = func(ctx context.Context, visit func([]metav1.Object) error) (string, error) {
			return w.listPages(ctx, "", visit)
		}
	}
	missing := maps.Clone(w.inventory.entries)
	reached, err := list(ctx, func(page []metav1.Object) error {
		entries := make(map[string]*store.Entry, len(page))
		for _, o := range page {
			key := keyOf(o.GetNamespace(), o.GetName())
			delete(missing, key)
			if id, _ := identify(string(o.GetUID())); w.inventory.has(key) && w.inventory.entries[key].identity != id {
				if err := w.handleVanished(ctx, sink, key, nil); err != nil {
					return err
				}
			}
			w.record(key, o)
			entries[key] = w.recordedEntry(key, o)
		}
		w.checkpointer.saveEntries(entries)
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(missing)) {
		if err := w.handleVanished(ctx, sink, key, nil); err != nil {
			return err
		}
	}
	w.subscribers.resetStart()
	w.checkpointer.reset(positionRelist)
	w.advanceTo(reached)
	w.initialized, w.fieldsRestored = true, true
	return nil
}

// relist delivers the differences between the objects that exist and the inventory,
// and continues the watch at their resourceVersion. After an error it can be repeated
// without delivering a difference twice.
func (w *watcher) relist(ctx context.Context, sink source.Sink) error {
	w.checkpointer.reset(positionRelist)
	clear(w.tombstones)
	missing := maps.Clone(w.inventory.entries)
	reached, err := w.listPages(ctx, "", func(page []metav1.Object) error {
		for _, o := range page {
			key := keyOf(o.GetNamespace(), o.GetName())
			delete(missing, key)
			if err := w.handleObject(ctx, sink, o, "", w.subscribers.forListed(versionOf(o.GetResourceVersion()))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(missing)) {
		if err := w.handleVanished(ctx, sink, key, w.subscribers.forListed(0)); err != nil {
			return err
		}
	}
	w.subscribers.startAllAfter(versionOf(reached))
	w.advanceTo(reached)
	w.fieldsRestored = true
	return nil
}

// deliverSync delivers sync events for the objects that exist, to the triggers that
// subscribe to them and did not get them yet. The objects are in the state where the
// watch starts for these triggers, if the API server still has it, otherwise in their
// current state.
func (w *watcher) deliverSync(ctx context.Context, sink source.Sink) error {
	group := w.subscribers.awaitingSync()
	if len(group) == 0 || w.syncedTo == maxKey {
		return nil
	}
	deliver := func(page []metav1.Object) error {
		for _, o := range page {
			key := keyOf(o.GetNamespace(), o.GetName())
			targets := w.subscribers.forSync(key)
			if key <= w.syncedTo || targets != nil && len(targets) == 0 {
				continue
			}
			if err := w.deliverSyncObject(ctx, sink, group, o.(*unstructured.Unstructured), targets); err != nil {
				return err
			}
			w.syncedTo = key
		}
		return nil
	}
	_, err := w.listPages(ctx, w.subscribers.syncVersion(w.position), deliver)
	if err != nil && isHistoryGone(err) {
		_, err = w.listPages(ctx, "", deliver)
	}
	if err != nil {
		return err
	}
	w.syncedTo = maxKey
	w.syncWatermark.Advance(maxKey)
	committed, _ := w.syncWatermark.Committed()
	w.subscribers.setSyncedTo(group, committed)
	return nil
}

// deliverSyncObject delivers the sync event of o to targets.
func (w *watcher) deliverSyncObject(ctx context.Context, sink source.Sink, group []*subscriber, o *unstructured.Unstructured, targets []event.TriggerRef) error {
	ev, writer := newEvent(event.Sync, w.eventCluster(), o, w.Clock.Now())
	commit, cancel := w.syncWatermark.Begin(ev.Key)
	done := func() {
		commit()
		committed, _ := w.syncWatermark.Committed()
		w.subscribers.setSyncedTo(group, committed)
	}
	if err := sink.Deliver(ctx, ev, source.Delivery{Triggers: targets, Writer: writer, Done: done}); err != nil {
		cancel()
		return fmt.Errorf("deliver %s: %w", ev.ID, err)
	}
	return nil
}

// checkRollback clears the position if the state of the API server is older, as after a
// restore of etcd: a watch from a future resourceVersion would get no events until the
// API server reaches it. Otherwise it excludes all events up to now for new triggers.
func (w *watcher) checkRollback(ctx context.Context) error {
	client := w.Metadata.Resource(w.mapping.Resource).Namespace(w.namespace)
	page, err := client.List(ctx, w.listOptions(metav1.ListOptions{Limit: 1}))
	if err != nil {
		return fmt.Errorf("list %s: %w", w, err)
	}
	now := versionOf(page.ResourceVersion)
	if now.before(versionOf(w.position)) {
		logr.FromContextOrDiscard(ctx).Info("API server state is older than the resume point; listing all objects",
			"from", w.position, "to", page.ResourceVersion)
		w.position = ""
		return nil
	}
	w.subscribers.startNewAfter(now)
	return nil
}

// handleKindRemoved delivers the deletion of all objects after their kind was removed.
// If the kind is registered again, the watch starts with a new initial list.
func (w *watcher) handleKindRemoved(ctx context.Context, sink source.Sink) error {
	if w.initialized {
		w.subscribers.resetSync()
		w.checkpointer.reset(positionNone)
		clear(w.tombstones)
		w.position, w.syncedTo, w.syncWatermark = "", "", &watermark{}
	}
	w.initialized, w.mappingStale = false, false
	for _, key := range slices.Sorted(maps.Keys(w.inventory.entries)) {
		if err := w.handleVanished(ctx, sink, key, nil); err != nil {
			return err
		}
	}
	return nil
}
