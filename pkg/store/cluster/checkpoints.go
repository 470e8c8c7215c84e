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

// A checkpoint is stored in one head and any number of shards, each a ConfigMap. The
// head contains the cursor and the recent changes of the values. If there are too
// many, they are written to the shards first, and then removed from the head: after a
// crash in between, both contain them.
const (
	// maxRecent is the maximum size of the recent changes. Each save writes the
	// head, and all shards if the head is full: with 50,000 objects and 100 changes
	// in a save, both cost about the same at this size.
	maxRecent = 128 << 10
	// checkpointFormat is the version of the format of heads and shards.
	checkpointFormat = 2

	checkpointField, valuesField = "checkpoint", "values"
)

// checkpoints implements store.Checkpoints.
type checkpoints struct{ *Store }

// Checkpoints implements store.Store.
func (s *Store) Checkpoints() store.Checkpoints { return checkpoints{s} }

// heads contains the heads in use.
type heads struct {
	mu     sync.Mutex
	byName map[string]*head
}

// head is the cached head of one checkpoint. Shards are not cached.
type head struct {
	mu         sync.Mutex
	loaded     bool
	checkpoint checkpoint
	recent     map[string][]byte
	// version is the resourceVersion of the ConfigMap; empty if there is none.
	version string
}

// checkpoint is the JSON in a head.
type checkpoint struct {
	Format int    `json:"format"`
	Name   string `json:"name"`
	Cursor string `json:"cursor,omitempty"`
	// Shards is the number of shards: 0, or a power of 2.
	Shards uint32 `json:"shards,omitempty"`
}

// lockHead returns the head of the checkpoint, locked. The caller unlocks it.
func (s *Store) lockHead(name string) *head {
	s.heads.mu.Lock()
	h, ok := s.heads.byName[name]
	if !ok {
		h = &head{}
		if s.heads.byName == nil {
			s.heads.byName = map[string]*head{}
		}
		s.heads.byName[name] = h
	}
	s.heads.mu.Unlock()
	h.mu.Lock()
	return h
}

// headMap returns a new ConfigMap for the head of the checkpoint.
func (s *Store) headMap(name string) *corev1.ConfigMap {
	id := codec.ID(name)
	return &corev1.ConfigMap{ObjectMeta: s.newMeta(s.owner+"-checkpoint-"+id, checkpointRecord, map[string]string{checkpointLabel: id})}
}

// Load implements store.Checkpoints.
func (s checkpoints) Load(ctx context.Context, name string) (store.Checkpoint, error) {
	h := s.lockHead(name)
	defer h.mu.Unlock()
	h.loaded = false
	c := store.Checkpoint{Values: map[string][]byte{}}
	if err := s.load(ctx, name, h); err != nil {
		return store.Checkpoint{}, s.wrapError("load checkpoint", err)
	}
	for i := range h.checkpoint.Shards {
		values, err := s.loadShard(ctx, name, h.checkpoint.Shards, i)
		if err != nil {
			return store.Checkpoint{}, s.wrapError("load checkpoint", err)
		}
		merge(c.Values, values)
	}
	merge(c.Values, h.recent)
	c.Cursor = h.checkpoint.Cursor
	h.loaded = true
	return c, nil
}

// load claims and reads the head of h.
func (s *Store) load(ctx context.Context, name string, h *head) error {
	cm := s.headMap(name)
	err := s.claim(ctx, cm)
	if apierrors.IsNotFound(err) {
		h.checkpoint, h.recent, h.version = checkpoint{Format: checkpointFormat, Name: name}, map[string][]byte{}, ""
		return nil
	}
	if err != nil {
		return err
	}
	c, err := decodeCheckpoint(cm)
	if err != nil {
		return err
	}
	if c.Name != name {
		return fmt.Errorf("ConfigMap %s: checkpoint of %q found in place of %q: %w", cm.Name, c.Name, name, store.ErrDamaged)
	}
	h.recent, err = codec.DecodeValues(cm.BinaryData[valuesField])
	if err != nil {
		return fmt.Errorf("ConfigMap %s: %w", cm.Name, err)
	}
	h.checkpoint, h.version = c, cm.ResourceVersion
	return nil
}

func decodeCheckpoint(cm *corev1.ConfigMap) (checkpoint, error) {
	var c checkpoint
	if err := json.Unmarshal([]byte(cm.Data[checkpointField]), &c); err != nil {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: %s: %w: %w", cm.Name, checkpointField, store.ErrDamaged, err)
	}
	if c.Format != checkpointFormat {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: format %d, want %d: %w", cm.Name, c.Format, checkpointFormat, store.ErrForeign)
	}
	if c.Shards&(c.Shards-1) != 0 || c.Shards > maxShards {
		return checkpoint{}, fmt.Errorf("ConfigMap %s: %d shards: %w", cm.Name, c.Shards, store.ErrDamaged)
	}
	return c, nil
}

// Save implements store.Checkpoints.
func (s checkpoints) Save(ctx context.Context, name string, change store.Change) error {
	return s.wrapError("save checkpoint", s.save(ctx, name, change))
}

func (s *Store) save(ctx context.Context, name string, change store.Change) error {
	if err := codec.ValidateChange(change); err != nil {
		return err
	}
	h := s.lockHead(name)
	defer h.mu.Unlock()
	if !h.loaded {
		// Loading a shard claims it for this writer.
		if err := s.load(ctx, name, h); err != nil {
			return err
		}
		for i := range h.checkpoint.Shards {
			if _, err := s.loadShard(ctx, name, h.checkpoint.Shards, i); err != nil {
				return err
			}
		}
		h.loaded = true
	}
	c := h.checkpoint
	if change.Cursor != nil {
		c.Cursor = *change.Cursor
	}
	recent := mergeRecent(h.recent, change.Values, c.Shards)
	block := codec.EncodeValues(recent)
	if len(block) > maxRecent {
		// Only what is stored already goes to the shards, unless the change itself is
		// too large: until the head is written, the checkpoint stays as it is.
		full := h.recent
		recent = mergeRecent(nil, change.Values, 1)
		if block = codec.EncodeValues(recent); len(block) > maxRecent {
			full, recent = mergeRecent(h.recent, change.Values, c.Shards), map[string][]byte{}
			block = codec.EncodeValues(recent)
		}
		var err error
		if c.Shards, err = s.writeShards(ctx, name, c.Shards, full); err != nil {
			return err
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	cm := s.headMap(name)
	cm.ResourceVersion = h.version
	cm.Data = map[string]string{checkpointField: string(text)}
	cm.BinaryData = map[string][]byte{valuesField: block}
	if err := s.put(ctx, cm); err != nil {
		return err
	}
	before := h.checkpoint.Shards
	h.checkpoint, h.recent, h.version = c, recent, cm.ResourceVersion
	if before != c.Shards {
		s.deleteShards(ctx, name, before)
	}
	return nil
}

// mergeRecent returns the recent changes after further ones. Deletions are kept if
// there are shards.
func mergeRecent(recent, changes map[string][]byte, shards uint32) map[string][]byte {
	merged := make(map[string][]byte, len(recent)+len(changes))
	maps.Copy(merged, recent)
	if shards == 0 {
		merge(merged, changes)
	} else {
		maps.Copy(merged, changes)
	}
	return merged
}

// Delete implements store.Checkpoints.
func (s checkpoints) Delete(ctx context.Context, name string) error {
	h := s.lockHead(name)
	defer h.mu.Unlock()
	if err := s.fence.verify(ctx); err != nil {
		return s.wrapError("delete checkpoint", err)
	}
	h.loaded = false
	// The head is deleted first: shards without a head are not read.
	cm := s.headMap(name)
	if err := client.IgnoreNotFound(s.client.Delete(ctx, cm)); err != nil {
		return s.wrapError("delete checkpoint", err)
	}
	var shards metav1.PartialObjectMetadataList
	shards.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	err := s.client.List(ctx, &shards, client.InNamespace(s.options.Namespace),
		client.MatchingLabels{ownerLabel: s.owner, checkpointLabel: cm.Labels[checkpointLabel]})
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

// List implements store.Checkpoints.
func (s checkpoints) List(ctx context.Context) ([]string, error) {
	var all corev1.ConfigMapList
	if err := s.client.List(ctx, &all, s.recordSelector(checkpointRecord)...); err != nil {
		return nil, s.wrapError("list checkpoints", err)
	}
	var names []string
	for i := range all.Items {
		c, err := decodeCheckpoint(&all.Items[i])
		if err != nil {
			return nil, s.wrapError("list checkpoints", err)
		}
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names, nil
}
