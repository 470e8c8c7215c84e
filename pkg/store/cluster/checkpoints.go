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
	"fmt"
	"maps"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// A checkpoint is stored in one head and any number of shards, each a
// TriggerCheckpoint. The head contains the cursor and the recent changes of the values. If there are too
// many, they are written to the shards first, and then removed from the head: after a
// crash in between, both contain them.
const (
	// maxRecent is the maximum size of the recent changes. Each save writes the
	// head, and all shards if the head is full: with 50,000 objects and 100 changes
	// in a save, both cost about the same at this size.
	maxRecent = 128 << 10
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
	mu     sync.Mutex
	loaded bool
	cursor string
	// shards is the number of shards: 0, or a power of 2.
	shards uint32
	recent map[string][]byte
	// version is the resourceVersion of the TriggerCheckpoint; empty if there is none.
	version string
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

// newHead returns a new TriggerCheckpoint for the head of the checkpoint.
func (s *Store) newHead(name string) *v1alpha1.TriggerCheckpoint {
	id := codec.ID(name)
	return s.newCheckpoint(s.owner+"-checkpoint-"+id, checkpointRecord, map[string]string{checkpointLabel: id})
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
	for i := range h.shards {
		values, err := s.loadShard(ctx, name, h.shards, i)
		if err != nil {
			return store.Checkpoint{}, s.wrapError("load checkpoint", err)
		}
		merge(c.Values, values)
	}
	merge(c.Values, h.recent)
	c.Cursor = h.cursor
	h.loaded = true
	return c, nil
}

// load claims and reads the head of h.
func (s *Store) load(ctx context.Context, name string, h *head) error {
	tc := s.newHead(name)
	err := s.claim(ctx, tc)
	if apierrors.IsNotFound(err) {
		h.cursor, h.shards, h.recent, h.version = "", 0, map[string][]byte{}, ""
		return nil
	}
	if err != nil {
		return err
	}
	if err := validateHead(tc); err != nil {
		return err
	}
	if tc.Spec.Name != name {
		return fmt.Errorf("TriggerCheckpoint %s: checkpoint of %q found in place of %q: %w", tc.Name, tc.Spec.Name, name, store.ErrDamaged)
	}
	h.recent, err = codec.DecodeValues(tc.Spec.Values)
	if err != nil {
		return fmt.Errorf("TriggerCheckpoint %s: %w", tc.Name, err)
	}
	h.cursor, h.shards, h.version = tc.Spec.Cursor, uint32(tc.Spec.Shards), tc.ResourceVersion
	return nil
}

// validateHead returns an error if tc is not a head.
func validateHead(tc *v1alpha1.TriggerCheckpoint) error {
	if err := validateFormat(tc); err != nil {
		return err
	}
	if n := tc.Spec.Shards; n < 0 || n&(n-1) != 0 || n > maxShards {
		return fmt.Errorf("TriggerCheckpoint %s: %d shards: %w", tc.Name, n, store.ErrDamaged)
	}
	return nil
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
		for i := range h.shards {
			if _, err := s.loadShard(ctx, name, h.shards, i); err != nil {
				return err
			}
		}
		h.loaded = true
	}
	cursor, shards := h.cursor, h.shards
	if change.Cursor != nil {
		cursor = *change.Cursor
	}
	recent := mergeRecent(h.recent, change.Values, shards)
	block := codec.EncodeValues(recent)
	if len(block) > maxRecent {
		// Only what is stored already goes to the shards, unless the change itself is
		// too large: until the head is written, the checkpoint stays as it is.
		full := h.recent
		recent = mergeRecent(nil, change.Values, 1)
		if block = codec.EncodeValues(recent); len(block) > maxRecent {
			full, recent = mergeRecent(h.recent, change.Values, shards), map[string][]byte{}
			block = codec.EncodeValues(recent)
		}
		var err error
		if shards, err = s.writeShards(ctx, name, shards, full); err != nil {
			return err
		}
	}
	tc := s.newHead(name)
	tc.ResourceVersion = h.version
	tc.Spec.Name, tc.Spec.Cursor, tc.Spec.Shards, tc.Spec.Values = name, cursor, int32(shards), block
	if err := s.put(ctx, tc); err != nil {
		return err
	}
	before := h.shards
	h.cursor, h.shards, h.recent, h.version = cursor, shards, recent, tc.ResourceVersion
	if before != shards {
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
	head := s.newHead(name)
	if err := client.IgnoreNotFound(s.client.Delete(ctx, head)); err != nil {
		return s.wrapError("delete checkpoint", err)
	}
	var shards metav1.PartialObjectMetadataList
	shards.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(v1alpha1.TriggerCheckpointKind + "List"))
	err := s.client.List(ctx, &shards, client.InNamespace(s.options.Namespace),
		client.MatchingLabels{ownerLabel: s.owner, checkpointLabel: head.Labels[checkpointLabel]})
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
	var all v1alpha1.TriggerCheckpointList
	if err := s.client.List(ctx, &all, s.recordSelector(checkpointRecord)...); err != nil {
		return nil, s.wrapError("list checkpoints", err)
	}
	var names []string
	for i := range all.Items {
		if err := validateHead(&all.Items[i]); err != nil {
			return nil, s.wrapError("list checkpoints", err)
		}
		names = append(names, all.Items[i].Spec.Name)
	}
	slices.Sort(names)
	return names, nil
}
