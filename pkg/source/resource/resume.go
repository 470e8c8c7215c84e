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
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// Checkpoints are what a watch needs of a store to go on where it stopped.
type Checkpoints interface {
	Load(ctx context.Context, watch string) (store.Checkpoint, error)
	Delete(ctx context.Context, watch string) error
	Watches(ctx context.Context) ([]string, error)
}

// Saver takes note of a change of a watch, which follows those before, and
// returns at once. Flush returns when all of them are in the store, or with the
// error of the one attempt that it makes. store.Saver is one.
type Saver interface {
	Save(watch string, c store.Change)
	Flush(ctx context.Context) error
}

// Prune forgets the watches that none of subscriptions, which are all that there
// are, stands for any more. A watch that is taken up again later starts anew.
func Prune(ctx context.Context, r Checkpoints, subscriptions []source.Subscription) error {
	return store.Prune(ctx, r, func(name string) bool {
		_, key, _ := strings.Cut(name, " ")
		return strings.HasPrefix(key, Type+":") &&
			!slices.ContainsFunc(subscriptions, func(s source.Subscription) bool { return serves(s, key) })
	}, r.Delete)
}

// serves reports whether s stands for the watch that key names, maybe with others
// and for others.
func serves(s source.Subscription, key string) bool {
	if s.Key() == key {
		return true
	}
	of, ok := s.(interface{ asked() subscription })
	if !ok || of.asked().cluster != anyCluster {
		return false
	}
	cluster, ok := of.asked().clusterFromKey(key)
	return ok && (of.asked().clusters.labels != nil || of.asked().clusters.hasName(cluster))
}

// loadCheckpoint brings the watch to where it stopped, once.
func (w *watcher) loadCheckpoint(ctx context.Context) error {
	if w.loaded || w.Checkpoints == nil {
		return nil
	}
	cluster, err := w.clusterID(ctx)
	if err != nil {
		return err
	}
	name := cluster + " " + w.key()
	saved, err := w.Checkpoints.Load(ctx, name)
	if err != nil {
		return fmt.Errorf("resume %s: %w", w, err)
	}
	if w.FromNow && saved.Position != positionNone {
		if err := w.Checkpoints.Delete(ctx, name); err != nil {
			return fmt.Errorf("resume %s: %w", w, err)
		}
		saved.Watermark, saved.Inventory = store.Watermark{}, nil
	}
	w.checkpointer = newCheckpointer(func(c store.Change) { w.Saver.Save(name, c) })
	w.subscribers.save = func(triggers []string) { w.Saver.Save(name, store.Change{Triggers: triggers}) }
	w.subscribers.load(saved.Triggers, saved.Position != positionNone)
	w.restore(saved)
	w.loaded = true
	w.storeName.Store(&name)
	return nil
}

// restore takes over what was saved.
func (w *watcher) restore(saved store.Checkpoint) {
	for key, e := range saved.Inventory {
		if isTombstone(e) {
			w.tombstones[key] = versionOf(e.ResourceVersion)
			continue
		}
		w.inventory.put(key, e.UID, e.ResourceVersion)
		if !w.tracker.empty() {
			w.inventory.fieldStates[key] = w.tracker.unmarshal(e.State)
		}
	}
	w.initialized = saved.Position != positionNone
	if saved.Position != positionRelist {
		w.position = saved.Position
	}
	w.checkpointer.restore(saved.Position, w.tombstones)
	w.fieldsRestored = !w.initialized || w.tracker.empty()
}

// clusterID returns what tells the cluster from others: the UID of its namespace
// kube-system or, where that may not be read, the address of the API server.
func (w *watcher) clusterID(ctx context.Context) (string, error) {
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	system, err := w.Metadata.Resource(namespaces).Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return w.Server, nil
	case err != nil:
		return "", fmt.Errorf("get namespace %s: %w", metav1.NamespaceSystem, err)
	}
	return string(system.UID), nil
}

// restoreFields finds out, after a restart, what the fields were that triggers want to
// know the old state of: it lists the objects as they were when the watch
// stopped. Where the API server no longer has that, hashes that were saved stay
// all that is known.
func (w *watcher) restoreFields(ctx context.Context) error {
	if w.fieldsRestored || w.fieldsComplete() {
		w.fieldsRestored = true
		return nil
	}
	_, err := w.listPages(ctx, w.position, func(page []metav1.Object) error {
		incomplete := map[string]*store.Entry{}
		for _, o := range page {
			key, v := keyOf(o.GetNamespace(), o.GetName()), versionOf(o.GetResourceVersion())
			if known, ok := w.inventory.entries[key]; !ok || known.version != v {
				continue // the stream brings what it was
			}
			before := w.inventory.fieldStates[key]
			w.inventory.fieldStates[key] = w.tracker.observe(before, eventData(o))
			if !w.tracker.complete(before) {
				incomplete[key] = w.recordedEntry(key, o)
			}
		}
		w.checkpointer.saveEntries(incomplete)
		return nil
	})
	if err != nil && !isHistoryGone(err) {
		return err
	}
	w.fieldsRestored = true
	return nil
}

func (w *watcher) fieldsComplete() bool {
	for key := range w.inventory.entries {
		if !w.tracker.complete(w.inventory.fieldStates[key]) {
			return false
		}
	}
	return true
}
