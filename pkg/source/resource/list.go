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

// listPages lists all objects, a page at a time, in the order of their keys, and
// returns the resourceVersion of the list. They are as they were at
// resourceVersion or, where that is empty, as they are.
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

// listMetadata is pages of what is there now, without the contents of the objects.
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

// listInitial takes stock of the objects that exist, which are no news, and starts
// the watch there. Objects of before that are gone are news.
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

// relist delivers what differs between the objects that exist and the
// inventory, and goes on with the watch there. It may be repeated after an
// error: what was delivered is no longer a difference.
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

// deliverSync delivers the objects that exist to the triggers that ask for that
// and were not told yet: as they were where the watch begins for them, if the
// API server still has that.
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

func (w *watcher) deliverSyncObject(ctx context.Context, sink source.Sink, group []*subscriber, o *unstructured.Unstructured, targets []event.TriggerRef) error {
	ev := newEvent(event.Sync, w.eventCluster(), o, w.Clock.Now())
	ev.Triggers = targets
	commit, cancel := w.syncWatermark.Begin(ev.Key)
	done := func() {
		commit()
		committed, _ := w.syncWatermark.Committed()
		w.subscribers.setSyncedTo(group, committed)
	}
	if err := sink.Deliver(ctx, ev, done); err != nil {
		cancel()
		return fmt.Errorf("deliver %s: %w", ev.ID, err)
	}
	return nil
}

// checkRollback forgets the position where the API server's state is older than it,
// as after a restore of etcd: a watch from the future would stay silent until
// that future comes. Otherwise what happened up to now is not for triggers that
// are new.
func (w *watcher) checkRollback(ctx context.Context) error {
	client := w.Metadata.Resource(w.mapping.Resource).Namespace(w.namespace)
	page, err := client.List(ctx, w.listOptions(metav1.ListOptions{Limit: 1}))
	if err != nil {
		return fmt.Errorf("list %s: %w", w, err)
	}
	now := versionOf(page.ResourceVersion)
	if now.before(versionOf(w.position)) {
		logr.FromContextOrDiscard(ctx).Info("the API server went back in time; comparing all objects",
			"from", w.position, "to", page.ResourceVersion)
		w.position = ""
		return nil
	}
	w.subscribers.startNewAfter(now)
	return nil
}

// handleKindRemoved delivers that all objects are gone, because their kind is. When it
// comes back, the objects that then exist count as existing at first.
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
