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

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// pager requests one page of a list.
type pager func(context.Context, metav1.ListOptions) ([]metav1.Object, metav1.ListInterface, error)

// listPages calls visit with each page of the objects, sorted by key, and returns the
// resourceVersion of the list. It lists the state at resourceVersion, or the current
// state if that is empty.
func (w *watcher) listPages(ctx context.Context, list pager, resourceVersion string, visit func([]metav1.Object) error) (string, error) {
	size := pageSize{max: w.PageSize}
	opts := w.listOptions(metav1.ListOptions{Limit: size.first()})
	if resourceVersion != "" {
		opts.ResourceVersion, opts.ResourceVersionMatch = resourceVersion, metav1.ResourceVersionMatchExact
	}
	for {
		objects, page, err := list(ctx, opts)
		if err != nil {
			return "", fmt.Errorf("list %s: %w", w, err)
		}
		opts.Limit = size.next(objects)
		if err := visit(objects); err != nil {
			return "", err
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			return page.GetResourceVersion(), nil
		}
		opts.ResourceVersion, opts.ResourceVersionMatch = "", ""
	}
}

// listAll calls visit with pages of the current objects or, unless whole is set, of their
// metadata. It then delivers the deletion of the other objects of the inventory to targets, and
// returns the resourceVersion of the list.
func (w *watcher) listAll(ctx context.Context, sink source.Sink, whole bool, targets []event.TriggerRef, visit func([]metav1.Object) error) (reached string, err error) {
	missing := w.tracker.keys()
	found := func(page []metav1.Object) error {
		for _, o := range page {
			delete(missing, keyOf(o.GetNamespace(), o.GetName()))
		}
		return visit(page)
	}
	err = errNoWatchList
	if whole {
		reached, err = w.listStream(ctx, found, func(o metav1.Object) {
			if key := keyOf(o.GetNamespace(), o.GetName()); w.tracker.has(key) {
				missing[key] = true
			}
		})
	}
	if errors.Is(err, errNoWatchList) {
		list := w.objects
		if !whole {
			list = w.objectMetadata
		}
		missing = w.tracker.keys() // with those of the stream
		reached, err = w.listPages(ctx, list, "", found)
	}
	if err != nil {
		return "", err
	}
	return reached, w.deliverVanished(ctx, sink, missing, targets)
}

// record adds the objects of a page to the inventory, and saves them.
func (w *watcher) record(ctx context.Context, sink source.Sink, how observation, page []metav1.Object) error {
	objects := make(map[string]*savedObject, len(page))
	for _, o := range page {
		d, err := w.observe(ctx, sink, how, o, "", nil)
		if err != nil {
			return err
		}
		if d.update.object != nil {
			objects[d.key] = d.update.object
		}
	}
	w.checkpointer.saveObjects(objects)
	return nil
}

// listInitial records the objects that exist, without delivering them, and starts the
// watch at their resourceVersion. It delivers the deletion of recorded objects that no
// longer exist.
func (w *watcher) listInitial(ctx context.Context, sink source.Sink) error {
	reached, err := w.listAll(ctx, sink, !w.tracker.fields.empty(), nil, func(page []metav1.Object) error {
		return w.record(ctx, sink, existing, page)
	})
	if err != nil {
		return err
	}
	w.subscribers.resetStart()
	w.checkpointer.reset(positionRelist)
	w.advanceTo(reached)
	return nil
}

// relist delivers the differences between the objects that exist and the inventory,
// and continues the watch at their resourceVersion. After an error it can be repeated
// without delivering a difference twice.
func (w *watcher) relist(ctx context.Context, sink source.Sink) error {
	w.checkpointer.reset(positionRelist)
	w.tracker.dropTombstones()
	reached, err := w.listAll(ctx, sink, true, w.subscribers.forListed(0), func(page []metav1.Object) error {
		for _, o := range page {
			if _, err := w.observe(ctx, sink, listed, o, "", w.subscribers.forListed(versionOf(o.GetResourceVersion()))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.subscribers.startAllAfter(versionOf(reached))
	w.advanceTo(reached)
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
			if err := w.deliverSyncObject(ctx, sink, group, o, targets); err != nil {
				return err
			}
			w.syncedTo = key
		}
		return nil
	}
	_, err := w.listPages(ctx, w.objects, w.subscribers.syncVersion(w.position), deliver)
	if err != nil && isHistoryGone(err) {
		_, err = w.listPages(ctx, w.objects, "", deliver)
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
func (w *watcher) deliverSyncObject(ctx context.Context, sink source.Sink, group []*subscriber, o metav1.Object, targets []event.TriggerRef) error {
	u, err := w.object(o)
	if err != nil {
		return err
	}
	ev, writer := newEvent(event.Sync, w.eventCluster(), u, w.Clock.Now())
	commit, cancel := w.syncWatermark.Begin(ev.Key)
	done := func() {
		commit()
		committed, _ := w.syncWatermark.Committed()
		w.subscribers.setSyncedTo(group, committed)
	}
	d := source.Delivery{Triggers: targets, Writer: writer, MetadataOnly: w.metadataOnly, Done: done}
	w.setReload(&d, ev, nil, nil)
	if err := sink.Deliver(ctx, ev, d); err != nil {
		cancel()
		return fmt.Errorf("deliver %s: %w", ev.ID, err)
	}
	return nil
}

// checkRollback reports whether the state of the API server is older than the position,
// as after a restore of etcd: a watch from a future resourceVersion would get no events
// until the API server reaches it. Otherwise it excludes all events up to now for new
// triggers.
func (w *watcher) checkRollback(ctx context.Context) (rolledBack bool, err error) {
	_, page, err := w.objectMetadata(ctx, w.listOptions(metav1.ListOptions{Limit: 1}))
	if err != nil {
		return false, fmt.Errorf("list %s: %w", w, err)
	}
	now := versionOf(page.GetResourceVersion())
	if now.before(versionOf(w.position)) {
		logr.FromContextOrDiscard(ctx).Info("API server state is older than the resume point; listing all objects",
			"from", w.position, "to", page.GetResourceVersion())
		return true, nil
	}
	w.subscribers.startNewAfter(now)
	return false, nil
}

// handleKindRemoved delivers the deletion of all objects after their kind was removed.
// If the kind is registered again, the watch starts with a new initial list.
func (w *watcher) handleKindRemoved(ctx context.Context, sink source.Sink) error {
	if w.start != phaseList {
		w.start = phaseList
		w.subscribers.resetSync()
		w.checkpointer.reset(positionNone)
		w.tracker.dropTombstones()
		w.position, w.syncedTo, w.syncWatermark = "", "", &watermark{}
	}
	return w.deliverVanished(ctx, sink, w.tracker.keys(), nil)
}
