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

package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
	"github.com/kubevela/kube-trigger/pkg/store/internal/migrate"
)

// Names of format 1.
const (
	oldCheckpointRecord, oldInventoryRecord, oldDropCounterRecord, oldQueueRecord = "mark", "inventory", "history", "accepted"
	// oldCheckpointField and oldInventoryField are fields of ConfigMaps.
	oldCheckpointField, oldInventoryField = "mark", "inventory"
	// oldReplayAnnotation contains the time of a replay request. Dead letters keep it.
	oldReplayAnnotation = "trigger.oam.dev/replay-asked"
)

// migrate converts a store of format 1. Every object is written in the present format
// before the old one is deleted, and the store is not used before it has ended: after a
// crash, it is repeated.
func (s *Store) migrate(ctx context.Context) error {
	var all metav1.PartialObjectMetadataList
	all.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	err := s.client.List(ctx, &all, client.InNamespace(s.options.Namespace), client.MatchingLabels{ownerLabel: s.owner})
	if err != nil {
		return s.wrapError("list ConfigMaps", err)
	}
	byRecord := map[string][]string{}
	for _, m := range all.Items {
		byRecord[m.Labels[recordLabel]] = append(byRecord[m.Labels[recordLabel]], m.Name)
	}
	for record, convert := range map[string]func(context.Context, *corev1.ConfigMap) error{
		oldCheckpointRecord: s.migrateCheckpoint, oldDropCounterRecord: s.migrateDropCounter,
	} {
		for _, name := range byRecord[record] {
			cm := s.oldMap(name)
			if err := s.claim(ctx, cm); err != nil {
				return s.wrapError("convert from format 1", err)
			}
			if err := convert(ctx, cm); err != nil {
				return s.wrapError("convert from format 1", fmt.Errorf("ConfigMap %s: %w", name, err))
			}
			if err := s.deleteOld(ctx, cm); err != nil {
				return err
			}
		}
	}
	// The shards last: a head without its shards would be damaged.
	for _, name := range byRecord[oldInventoryRecord] {
		if err := s.deleteOld(ctx, s.oldMap(name)); err != nil {
			return err
		}
	}
	return s.migrateQueue(ctx)
}

func (s *Store) oldMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.options.Namespace, Name: name}}
}

// deleteOld deletes an object that was converted, unless the Lease is lost.
func (s *Store) deleteOld(ctx context.Context, o client.Object) error {
	err := s.fence.verify(ctx)
	if err == nil {
		err = client.IgnoreNotFound(s.client.Delete(ctx, o))
	}
	return s.wrapError("delete "+o.GetName()+" of format 1", err)
}

// migrateCheckpoint converts a head and its shards.
func (s *Store) migrateCheckpoint(ctx context.Context, cm *corev1.ConfigMap) error {
	var c migrate.Checkpoint
	if err := json.Unmarshal([]byte(cm.Data[oldCheckpointField]), &c); err != nil {
		return fmt.Errorf("%s: %w: %w", oldCheckpointField, store.ErrDamaged, err)
	}
	if c.Format != migrate.Format {
		return fmt.Errorf("format %d, want %d: %w", c.Format, migrate.Format, store.ErrForeign)
	}
	recent, err := migrate.DecodeInventory(cm.BinaryData[oldInventoryField])
	if err != nil {
		return err
	}
	c.Inventory = map[string][]byte{}
	for i := range c.Shards {
		name := fmt.Sprintf("%s-watch-%s-%d-%d", s.owner, codec.ID(c.Name), c.Shards, i)
		shard := s.oldMap(name)
		if err := s.claim(ctx, shard); apierrors.IsNotFound(err) {
			return fmt.Errorf("ConfigMap %s is missing: %w", name, store.ErrDamaged)
		} else if err != nil {
			return err
		}
		entries, err := migrate.DecodeInventory(shard.BinaryData[oldInventoryField])
		if err != nil {
			return fmt.Errorf("ConfigMap %s: %w", name, err)
		}
		merge(c.Inventory, entries)
	}
	merge(c.Inventory, recent)
	change, err := c.Convert()
	if err != nil {
		return err
	}
	// The result of an earlier attempt may be older than this.
	if err := s.Checkpoints().Delete(ctx, c.Name); err != nil {
		return err
	}
	return s.save(ctx, c.Name, change)
}

// migrateDropCounter converts the ConfigMap that also has a history of runs.
func (s *Store) migrateDropCounter(ctx context.Context, cm *corev1.ConfigMap) error {
	n, err := decodeDropped(cm)
	if err != nil {
		return err
	}
	s.dropCounter.mu.Lock()
	defer s.dropCounter.mu.Unlock()
	if err := s.loadDropCounter(ctx); err != nil {
		return err
	}
	return s.setDropped(ctx, n)
}

// migrateQueue renames the events in the queue.
func (s *Store) migrateQueue(ctx context.Context) error {
	var names []string
	if err := s.eachMetadata(ctx, s.recordSelector(oldQueueRecord), func(m metav1.PartialObjectMetadata) {
		names = append(names, m.Name)
	}); err != nil {
		return s.wrapError("list events", err)
	}
	for _, name := range names {
		old := &v1alpha1.TriggerEvent{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: s.options.Namespace, Name: name}, old); err != nil {
			return s.wrapError("convert from format 1", err)
		}
		ev := old.Spec.Event
		te := &v1alpha1.TriggerEvent{ObjectMeta: s.newMeta(s.queueName(ev.Source, ev.ID), queueRecord, sourceLabels(ev.Source)), Spec: old.Spec}
		te.Annotations[orderAnnotation] = old.Annotations[orderAnnotation]
		err := s.fence.check()
		if err == nil {
			err = s.client.Create(ctx, te)
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return s.wrapError("convert from format 1", err)
		}
		if err := s.deleteOld(ctx, old); err != nil {
			return err
		}
	}
	return nil
}
