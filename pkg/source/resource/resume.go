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

// Checkpoints loads and deletes the checkpoints of watches. store.Checkpoints
// implements it.
type Checkpoints interface {
	Load(ctx context.Context, watch string) (store.Checkpoint, error)
	Delete(ctx context.Context, watch string) error
	Watches(ctx context.Context) ([]string, error)
}

// Saver saves changes of checkpoints. *store.Saver implements it.
type Saver interface {
	// Save queues a change and returns at once. Changes of a watch are applied in
	// order.
	Save(watch string, c store.Change)
	// Flush returns when all queued changes are in the store. It tries once, and
	// returns the error.
	Flush(ctx context.Context) error
}

// Prune deletes the checkpoints that none of subscriptions uses. subscriptions must be
// complete. A watch whose checkpoint was deleted starts with an initial list.
func Prune(ctx context.Context, r Checkpoints, subscriptions []source.Subscription) error {
	return store.Prune(ctx, r, func(name string) bool {
		_, key, _ := strings.Cut(name, " ")
		return strings.HasPrefix(key, Type+":") &&
			!slices.ContainsFunc(subscriptions, func(s source.Subscription) bool { return serves(s, key) })
	}, r.Delete)
}

// serves reports whether s uses the watch with this key, maybe as one of several
// watches.
func serves(s source.Subscription, key string) bool {
	if s.Key() == key {
		return true
	}
	sub, ok := s.(subscription)
	if !ok || sub.cluster != anyCluster {
		return false
	}
	cluster, ok := sub.clusterFromKey(key)
	return ok && (sub.clusters.labels != nil || sub.clusters.hasName(cluster))
}

// loadCheckpoint restores the checkpoint of the watch.
func (w *watcher) loadCheckpoint(ctx context.Context) error {
	if w.Checkpoints == nil {
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
	w.storeName.Store(&name)
	return nil
}

// restore restores the state of the watch from a checkpoint.
func (w *watcher) restore(saved store.Checkpoint) {
	for key, e := range saved.Inventory {
		w.tracker.restore(key, e)
	}
	switch saved.Position {
	case positionNone:
		w.start = phaseList
	case positionRelist:
		w.start = phaseRelist
	default:
		w.start, w.position = phaseRestore, saved.Position
	}
	w.checkpointer.restore(saved.Position, w.tracker.tombstones)
}

// clusterID returns the identity of the cluster: the UID of its namespace kube-system
// or, if reading that is forbidden, the address of the API server.
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

// restoreFields restores the field states of a loaded inventory by listing the objects at
// the position where the watch stopped. If the API server no longer has that state, only
// the saved hashes are known.
func (w *watcher) restoreFields(ctx context.Context) error {
	if w.tracker.complete() {
		return nil
	}
	_, err := w.listPages(ctx, w.objects, w.position, func(page []metav1.Object) error {
		return w.record(ctx, nil, atPosition, page) // there are no events
	})
	if err != nil && !isHistoryGone(err) {
		return err
	}
	return nil
}
