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
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// UsesCheckpoint reports whether one of the watches of s saves its state under name.
func (s subscription) UsesCheckpoint(name string) bool {
	_, key, _ := strings.Cut(name, " ")
	if s.cluster != anyCluster {
		return s.Key() == key
	}
	cluster, ok := s.clusterFromKey(key)
	return s.Key() == key || ok && (s.clusters.labels != nil || s.clusters.hasName(cluster))
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
	if w.FromNow && saved.Cursor != positionNone {
		if err := w.Checkpoints.Delete(ctx, name); err != nil {
			return fmt.Errorf("resume %s: %w", w, err)
		}
		saved.Cursor = positionNone
		maps.DeleteFunc(saved.Values, func(name string, _ []byte) bool { return strings.HasPrefix(name, objectPrefix) })
	}
	w.checkpointer = newCheckpointer(func(c store.Change) { w.Saver.Save(name, c) })
	w.subscribers.save = func(triggers map[string][]byte) { w.Saver.Save(name, store.Change{Values: triggers}) }
	w.subscribers.load(saved.Values, saved.Cursor != positionNone)
	if err := w.restore(saved); err != nil {
		return fmt.Errorf("resume %s: %w", w, err)
	}
	w.storeName.Store(&name)
	return nil
}

// restore restores the state of the watch from a checkpoint.
func (w *watcher) restore(saved store.Checkpoint) error {
	for name, value := range saved.Values {
		key, ok := strings.CutPrefix(name, objectPrefix)
		if !ok {
			continue
		}
		o, err := decodeObject(value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		w.tracker.restore(key, o)
	}
	switch saved.Cursor {
	case positionNone:
		w.start = phaseList
	case positionRelist:
		w.start = phaseRelist
	default:
		w.start, w.position = phaseRestore, saved.Cursor
	}
	w.checkpointer.restore(saved.Cursor, w.tracker.tombstones)
	return nil
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
