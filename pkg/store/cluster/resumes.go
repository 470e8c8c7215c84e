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
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// A watch is kept in a head and any number of shards. The head holds the mark
// and the changes of the inventory since the shards were written. When those
// grow too many they go into the shards first, and then out of the head, so
// that a crash in between leaves them in both.
const (
	// maxRecent is the size of the changes in a head. Every save writes it, and
	// each time it is full all shards are written: for 50,000 objects that
	// change 100 at a time, both cost about the same here.
	maxRecent = 128 << 10
	// checkpointFormat is the version of what heads and shards mean.
	checkpointFormat = 1

	checkpointField, inventoryField = "mark", "inventory"
)

// watches are those that are in use.
type watches struct {
	mu     sync.Mutex
	byName map[string]*watch
}

// watch is what is known of one watch. It does not hold the inventory.
type watch struct {
	mu         sync.Mutex
	loaded     bool
	checkpoint checkpoint
	recent     map[string]*store.Entry
	// version is that of the head, empty where there is none.
	version string
}

// checkpoint is what a head says.
type checkpoint struct {
	Format   int      `json:"format"`
	Watch    string   `json:"watch"`
	Position string   `json:"position,omitempty"`
	Triggers []string `json:"triggers,omitempty"`
	// Shards is the number of shards: 0, or a power of 2.
	Shards uint32 `json:"shards,omitempty"`
}

// lockWatch returns the watch, which the caller unlocks.
func (s *Store) lockWatch(name string) *watch {
	s.watches.mu.Lock()
	w, ok := s.watches.byName[name]
	if !ok {
		w = &watch{}
		if s.watches.byName == nil {
			s.watches.byName = map[string]*watch{}
		}
		s.watches.byName[name] = w
	}
	s.watches.mu.Unlock()
	w.mu.Lock()
	return w
}

// head returns an empty head of the watch.
func (s *Store) head(name string) *corev1.ConfigMap {
	id := codec.ID(name)
	return &corev1.ConfigMap{ObjectMeta: s.newMeta(s.owner+"-watch-"+id, checkpointRecord, map[string]string{watchLabel: id})}
}

// Load implements store.Resumes.
func (s *Store) Load(ctx context.Context, name string) (store.Checkpoint, error) {
	w := s.lockWatch(name)
	defer w.mu.Unlock()
	w.loaded = false
	r := store.Checkpoint{Inventory: map[string]store.Entry{}}
	if err := s.load(ctx, name, w); err != nil {
		return store.Checkpoint{}, s.wrapError("load", err)
	}
	for i := range w.checkpoint.Shards {
		entries, err := s.loadShard(ctx, name, w.checkpoint.Shards, i)
		if err != nil {
			return store.Checkpoint{}, s.wrapError("load", err)
		}
		apply(r.Inventory, entries)
	}
	apply(r.Inventory, w.recent)
	r.Watermark = store.Watermark{Position: w.checkpoint.Position}
	r.Triggers = slices.Clone(w.checkpoint.Triggers)
	w.loaded = true
	return r, nil
}

func apply(inventory map[string]store.Entry, changes map[string]*store.Entry) {
	for key, e := range changes {
		if e == nil {
			delete(inventory, key)
		} else {
			inventory[key] = *e
		}
	}
}

// load claims and reads the head.
func (s *Store) load(ctx context.Context, name string, w *watch) error {
	head := s.head(name)
	err := s.claim(ctx, head)
	if apierrors.IsNotFound(err) {
		w.checkpoint, w.recent, w.version = checkpoint{Format: checkpointFormat, Watch: name}, map[string]*store.Entry{}, ""
		return nil
	}
	if err != nil {
		return err
	}
	m, err := decodeCheckpoint(head)
	if err != nil {
		return err
	}
	if m.Watch != name {
		return fmt.Errorf("ConfigMap %s: that of %q: %w", head.Name, m.Watch, store.ErrDamaged)
	}
	w.recent, err = codec.DecodeInventory(head.BinaryData[inventoryField])
	if err != nil {
		return fmt.Errorf("ConfigMap %s: %w", head.Name, err)
	}
	w.checkpoint, w.version = m, head.ResourceVersion
	return nil
}

func decodeCheckpoint(head *corev1.ConfigMap) (checkpoint, error) {
	var m checkpoint
	if err := json.Unmarshal([]byte(head.Data[checkpointField]), &m); err != nil {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: mark: %w: %w", head.Name, store.ErrDamaged, err)
	}
	if m.Format != checkpointFormat {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: format %d, where %d is known: %w", head.Name, m.Format, checkpointFormat, store.ErrForeign)
	}
	if m.Shards&(m.Shards-1) != 0 || m.Shards > maxShards {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: %d shards: %w", head.Name, m.Shards, store.ErrDamaged)
	}
	return m, nil
}

// Save implements store.Resumes.
func (s *Store) Save(ctx context.Context, name string, c store.Change) error {
	return s.wrapError("save", s.save(ctx, name, c))
}

func (s *Store) save(ctx context.Context, name string, c store.Change) error {
	if err := codec.ValidateChange(c); err != nil {
		return err
	}
	w := s.lockWatch(name)
	defer w.mu.Unlock()
	if !w.loaded {
		// The shards, too, are to be this writer's.
		if err := s.load(ctx, name, w); err != nil {
			return err
		}
		for i := range w.checkpoint.Shards {
			if _, err := s.loadShard(ctx, name, w.checkpoint.Shards, i); err != nil {
				return err
			}
		}
		w.loaded = true
	}
	m := w.checkpoint
	if c.Watermark != nil {
		m.Position = c.Watermark.Position
	}
	if c.Triggers != nil {
		m.Triggers = slices.Sorted(slices.Values(c.Triggers))
	}
	recent := maps.Clone(w.recent)
	for key, e := range c.Inventory {
		if e == nil && m.Shards == 0 {
			delete(recent, key)
			continue
		}
		recent[key] = e
	}
	block := codec.EncodeInventory(recent)
	before := m.Shards
	if len(block) > maxRecent {
		var err error
		if m.Shards, err = s.writeShards(ctx, name, m.Shards, recent); err != nil {
			return err
		}
		recent = map[string]*store.Entry{}
		block = codec.EncodeInventory(recent)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	head := s.head(name)
	head.ResourceVersion = w.version
	head.Data = map[string]string{checkpointField: string(text)}
	head.BinaryData = map[string][]byte{inventoryField: block}
	if err := s.put(ctx, head); err != nil {
		return err
	}
	w.checkpoint, w.recent, w.version = m, recent, head.ResourceVersion
	if before != m.Shards {
		s.deleteShards(ctx, name, before)
	}
	return nil
}

// Delete implements store.Resumes.
func (s *Store) Delete(ctx context.Context, name string) error {
	w := s.lockWatch(name)
	defer w.mu.Unlock()
	if err := s.fence.verify(ctx); err != nil {
		return s.wrapError("forget", err)
	}
	w.loaded = false
	// The head first: without it, nobody misses a shard.
	head := s.head(name)
	if err := client.IgnoreNotFound(s.client.Delete(ctx, head)); err != nil {
		return s.wrapError("forget", err)
	}
	var rest metav1.PartialObjectMetadataList
	rest.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	err := s.client.List(ctx, &rest, client.InNamespace(s.options.Namespace),
		client.MatchingLabels{ownerLabel: s.owner, watchLabel: head.Labels[watchLabel]})
	if err != nil {
		return s.wrapError("forget", err)
	}
	// One by one: that takes no right to delete collections.
	for i := range rest.Items {
		if err := client.IgnoreNotFound(s.client.Delete(ctx, &rest.Items[i])); err != nil {
			return s.wrapError("forget", err)
		}
	}
	return nil
}

// Watches implements store.Resumes.
func (s *Store) Watches(ctx context.Context) ([]string, error) {
	var heads corev1.ConfigMapList
	if err := s.client.List(ctx, &heads, s.recordSelector(checkpointRecord)...); err != nil {
		return nil, s.wrapError("list watches", err)
	}
	var names []string
	for i := range heads.Items {
		m, err := decodeCheckpoint(&heads.Items[i])
		if err != nil {
			return nil, s.wrapError("list watches", err)
		}
		names = append(names, m.Watch)
	}
	slices.Sort(names)
	return names, nil
}
