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
	"hash/fnv"
	"maps"
	"slices"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

const (
	// maxShardSize is the size above which shards are split, newShardSize the
	// maximum size after a split, in bytes.
	maxShardSize, newShardSize = 512 << 10, 256 << 10
	// maxShards is the maximum number of shards of one checkpoint.
	maxShards = 1 << 12
)

// shard returns a new TriggerCheckpoint for shard i of n. Its name depends on n, so that the
// previous shards stay complete while the next are written.
func (s *Store) shard(name string, n, i uint32) *v1alpha1.TriggerCheckpoint {
	id := codec.ID(name)
	return s.newCheckpoint(fmt.Sprintf("%s-checkpoint-%s-%d-%d", s.owner, id, n, i), valuesRecord, map[string]string{checkpointLabel: id})
}

// shardIndex returns the index of the shard that contains key. n is a power of 2.
func shardIndex(key string, n uint32) uint32 {
	h := fnv.New32a()
	h.Write([]byte(key))
	sum := h.Sum32()
	return (sum ^ sum>>16) & (n - 1)
}

// loadShard claims and reads a shard.
func (s *Store) loadShard(ctx context.Context, name string, n, i uint32) (map[string][]byte, error) {
	tc := s.shard(name, n, i)
	return decodeShard(tc, s.claim(ctx, tc))
}

// decodeShard returns the values of tc. err is the result of reading tc.
func decodeShard(tc *v1alpha1.TriggerCheckpoint, err error) (map[string][]byte, error) {
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("TriggerCheckpoint %s is missing: %w", tc.Name, store.ErrDamaged)
	}
	if err != nil {
		return nil, err
	}
	if err := validateFormat(tc); err != nil {
		return nil, err
	}
	if len(tc.Spec.Values) == 0 {
		return nil, fmt.Errorf("TriggerCheckpoint %s: no values: %w", tc.Name, store.ErrDamaged)
	}
	values, err := codec.DecodeValues(tc.Spec.Values)
	if err != nil {
		return nil, fmt.Errorf("TriggerCheckpoint %s: %w", tc.Name, err)
	}
	return values, nil
}

// writeShards applies changes to the n shards, and returns the new number of shards.
// It writes only shards that change, unless a shard becomes too large.
func (s *Store) writeShards(ctx context.Context, name string, n uint32, changes map[string][]byte) (uint32, error) {
	parts := split(changes, n)
	for _, i := range slices.Sorted(maps.Keys(parts)) {
		tc := s.shard(name, n, i)
		values, err := decodeShard(tc, s.client.Get(ctx, client.ObjectKeyFromObject(tc), tc))
		if err != nil {
			return 0, err
		}
		merge(values, parts[i])
		block := codec.EncodeValues(values)
		if len(block) > maxShardSize {
			return s.splitShards(ctx, name, n, changes)
		}
		tc.Spec.Values = block
		if err := s.put(ctx, tc); err != nil {
			return 0, err
		}
	}
	if n > 0 {
		return n, nil
	}
	return s.splitShards(ctx, name, n, changes)
}

// splitShards applies changes to the n shards, writes the result to a larger number
// of shards, and returns that number.
func (s *Store) splitShards(ctx context.Context, name string, n uint32, changes map[string][]byte) (uint32, error) {
	all := map[string][]byte{}
	for i := range n {
		tc := s.shard(name, n, i)
		values, err := decodeShard(tc, s.client.Get(ctx, client.ObjectKeyFromObject(tc), tc))
		if err != nil {
			return 0, err
		}
		maps.Copy(all, values)
	}
	merge(all, changes)
	next := max(2*n, 1)
	for size := len(codec.EncodeValues(all)); size > int(next)*newShardSize; {
		next *= 2
	}
	var blocks [][]byte
	for ; blocks == nil; next *= 2 {
		if next > maxShards {
			return 0, fmt.Errorf("%d values: %w", len(all), store.ErrRejected)
		}
		blocks = encodeShards(all, next)
	}
	next = uint32(len(blocks))
	for i, block := range blocks {
		tc := s.shard(name, next, uint32(i))
		tc.Spec.Values = block
		if err := s.put(ctx, tc); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// encodeShards returns the content of n shards, or nil if one of them is too large.
func encodeShards(values map[string][]byte, n uint32) [][]byte {
	parts, blocks := split(values, n), make([][]byte, n)
	for i := range n {
		if blocks[i] = codec.EncodeValues(parts[i]); len(blocks[i]) > maxShardSize {
			return nil
		}
	}
	return blocks
}

// merge applies changes to values.
func merge(values, changes map[string][]byte) {
	for name, v := range changes {
		if v == nil {
			delete(values, name)
		} else {
			values[name] = v
		}
	}
}

// split returns the values by the index of their shard, without empty shards.
func split(values map[string][]byte, n uint32) map[uint32]map[string][]byte {
	parts := map[uint32]map[string][]byte{}
	if n == 0 {
		return parts
	}
	for key, e := range values {
		i := shardIndex(key, n)
		if parts[i] == nil {
			parts[i] = map[string][]byte{}
		}
		parts[i][key] = e
	}
	return parts
}

// deleteShards deletes the n shards of a previous split. It logs errors: unused shards
// are not read.
func (s *Store) deleteShards(ctx context.Context, name string, n uint32) {
	for i := range n {
		tc := s.shard(name, n, i)
		if err := client.IgnoreNotFound(s.client.Delete(ctx, tc)); err != nil {
			logr.FromContextOrDiscard(ctx).Info("unused values not deleted", "triggerCheckpoint", tc.Name, "error", err.Error())
		}
	}
}
