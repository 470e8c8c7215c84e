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

// The checkpoint of a watch is stored in one head and any number of shards, each a
// ConfigMap. The head contains the watermark and the recent changes of the
// inventory. If there are too many, they are written to the shards first, and then
// removed from the head: after a crash in between, both contain them.
const (
	// maxRecent is the maximum size of the recent changes. Each save writes the
	// head, and all shards if the head is full: with 50,000 objects and 100 changes
	// in a save, both cost about the same at this size.
	maxRecent = 128 << 10
	// checkpointFormat is the version of the format of heads and shards.
	checkpointFormat = 1

	checkpointField, inventoryField = "mark", "inventory"
)

// watches contains the watches in use.
type watches struct {
	mu     sync.Mutex
	byName map[string]*watch
}

// watch is the cached head of one watch. Shards are not cached.
type watch struct {
	mu         sync.Mutex
	loaded     bool
	checkpoint checkpoint
	recent     map[string]*store.Entry
	// version is the resourceVersion of the head; empty if there is none.
	version string
}

// checkpoint is the JSON in a head.
type checkpoint struct {
	Format   int      `json:"format"`
	Watch    string   `json:"watch"`
	Position string   `json:"position,omitempty"`
	Triggers []string `json:"triggers,omitempty"`
	// Shards is the number of shards: 0, or a power of 2.
	Shards uint32 `json:"shards,omitempty"`
}

// lockWatch returns the watch, locked. The caller unlocks it.
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

// head returns a new head of the watch.
func (s *Store) head(name string) *corev1.ConfigMap {
	id := codec.ID(name)
	return &corev1.ConfigMap{ObjectMeta: s.newMeta(s.owner+"-watch-"+id, checkpointRecord, map[string]string{watchLabel: id})}
}

// Load implements store.Checkpoints.
func (s *Store) Load(ctx context.Context, name string) (store.Checkpoint, error) {
	w := s.lockWatch(name)
	defer w.mu.Unlock()
	w.loaded = false
	c := store.Checkpoint{Inventory: map[string]store.Entry{}}
	if err := s.load(ctx, name, w); err != nil {
		return store.Checkpoint{}, s.wrapError("load checkpoint", err)
	}
	for i := range w.checkpoint.Shards {
		entries, err := s.loadShard(ctx, name, w.checkpoint.Shards, i)
		if err != nil {
			return store.Checkpoint{}, s.wrapError("load checkpoint", err)
		}
		apply(c.Inventory, entries)
	}
	apply(c.Inventory, w.recent)
	c.Watermark = store.Watermark{Position: w.checkpoint.Position}
	c.Triggers = slices.Clone(w.checkpoint.Triggers)
	w.loaded = true
	return c, nil
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

// load claims and reads the head of w.
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
	c, err := decodeCheckpoint(head)
	if err != nil {
		return err
	}
	if c.Watch != name {
		return fmt.Errorf("ConfigMap %s: checkpoint of %q found in place of %q: %w", head.Name, c.Watch, name, store.ErrDamaged)
	}
	w.recent, err = codec.DecodeInventory(head.BinaryData[inventoryField])
	if err != nil {
		return fmt.Errorf("ConfigMap %s: %w", head.Name, err)
	}
	w.checkpoint, w.version = c, head.ResourceVersion
	return nil
}

func decodeCheckpoint(head *corev1.ConfigMap) (checkpoint, error) {
	var c checkpoint
	if err := json.Unmarshal([]byte(head.Data[checkpointField]), &c); err != nil {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: %s: %w: %w", head.Name, checkpointField, store.ErrDamaged, err)
	}
	if c.Format != checkpointFormat {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: format %d, want %d: %w", head.Name, c.Format, checkpointFormat, store.ErrForeign)
	}
	if c.Shards&(c.Shards-1) != 0 || c.Shards > maxShards {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: %d shards: %w", head.Name, c.Shards, store.ErrDamaged)
	}
	return c, nil
}

// Save implements store.Checkpoints.
func (s *Store) Save(ctx context.Context, name string, change store.Change) error {
	return s.wrapError("save checkpoint", s.save(ctx, name, change))
}

func (s *Store) save(ctx context.Context, name string, change store.Change) error {
	if err := codec.ValidateChange(change); err != nil {
		return err
	}
	w := s.lockWatch(name)
	defer w.mu.Unlock()
	if !w.loaded {
		// Loading a shard claims it for this writer.
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
	c := w.checkpoint
	if change.Watermark != nil {
		c.Position = change.Watermark.Position
	}
	if change.Triggers != nil {
		c.Triggers = slices.Sorted(slices.Values(change.Triggers))
	}
	recent := maps.Clone(w.recent)
	for key, e := range change.Inventory {
		if e == nil && c.Shards == 0 {
			delete(recent, key)
			continue
		}
		recent[key] = e
	}
	inventory := codec.EncodeInventory(recent)
	before := c.Shards
	if len(inventory) > maxRecent {
		var err error
		if c.Shards, err = s.writeShards(ctx, name, c.Shards, recent); err != nil {
			return err
		}
		recent = map[string]*store.Entry{}
		inventory = codec.EncodeInventory(recent)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	head := s.head(name)
	head.ResourceVersion = w.version
	head.Data = map[string]string{checkpointField: string(text)}
	head.BinaryData = map[string][]byte{inventoryField: inventory}
	if err := s.put(ctx, head); err != nil {
		return err
	}
	w.checkpoint, w.recent, w.version = c, recent, head.ResourceVersion
	if before != c.Shards {
		s.deleteShards(ctx, name, before)
	}
	return nil
}

// Delete implements store.Checkpoints.
func (s *Store) Delete(ctx context.Context, name string) error {
	w := s.lockWatch(name)
	defer w.mu.Unlock()
	if err := s.fence.verify(ctx); err != nil {
		return s.wrapError("delete checkpoint", err)
	}
	w.loaded = false
	// The head is deleted first: shards without a head are not read.
	head := s.head(name)
	if err := client.IgnoreNotFound(s.client.Delete(ctx, head)); err != nil {
		return s.wrapError("delete checkpoint", err)
	}
	var shards metav1.PartialObjectMetadataList
	shards.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	err := s.client.List(ctx, &shards, client.InNamespace(s.options.Namespace),
		client.MatchingLabels{ownerLabel: s.owner, watchLabel: head.Labels[watchLabel]})
	if err != nil {
		return s.wrapError("delete checkpoint", err)
	}
	// One by one, which does not require the verb deletecollection.
	for i := range shards.Items {
		if err := client.IgnoreNotFound(s.client.Delete(ctx, &shards.Items[i])); err != nil {
			return s.wrapError("delete checkpoint", err)
		}
	}
	return nil
}

// Watches implements store.Checkpoints.
func (s *Store) Watches(ctx context.Context) ([]string, error) {
	var heads corev1.ConfigMapList
	if err := s.client.List(ctx, &heads, s.recordSelector(checkpointRecord)...); err != nil {
		return nil, s.wrapError("list watches", err)
	}
	var names []string
	for i := range heads.Items {
		c, err := decodeCheckpoint(&heads.Items[i])
		if err != nil {
			return nil, s.wrapError("list watches", err)
		}
		names = append(names, c.Watch)
	}
	slices.Sort(names)
	return names, nil
}
