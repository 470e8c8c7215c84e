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

package file

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// checkpoint is a stored checkpoint without its inventory.
type checkpoint struct {
	Watch    string   `json:"watch"`
	Position string   `json:"position,omitempty"`
	Triggers []string `json:"triggers,omitempty"`
}

// hash returns a hash of fixed size, for use in keys.
func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:8]
}

// checkpoint returns the checkpoint of watch; an empty one if there is none.
func (t tx) checkpoint(watch string) (checkpoint, error) {
	var c checkpoint
	value, err := t.get(join([]byte{checkpointPrefix}, hash(watch)))
	if err != nil {
		return checkpoint{}, err
	}
	if value == nil {
		return checkpoint{Watch: watch}, nil
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return checkpoint{}, fmt.Errorf("checkpoint: %w: %w", store.ErrDamaged, err)
	}
	if c.Watch != watch {
		return checkpoint{}, fmt.Errorf("checkpoint of %q found in place of %q: %w", c.Watch, watch, store.ErrDamaged)
	}
	return c, nil
}

// Load implements store.Checkpoints.
func (s *Store) Load(ctx context.Context, watch string) (store.Checkpoint, error) {
	loaded := store.Checkpoint{Inventory: map[string]store.Entry{}}
	err := s.read(ctx, "load checkpoint", func(t tx) error {
		c, err := t.checkpoint(watch)
		if err != nil {
			return err
		}
		loaded.Watermark = store.Watermark{Position: c.Position}
		loaded.Triggers = c.Triggers
		for r, err := range t.scan(join([]byte{entryPrefix}, hash(watch))) {
			if err != nil {
				return err
			}
			e, rest, err := codec.DecodeEntry(r.value)
			if err != nil || e == nil || len(rest) > 0 {
				return fmt.Errorf("inventory entry %q: %w", r.key, store.ErrDamaged)
			}
			loaded.Inventory[string(r.key)] = *e
		}
		return nil
	})
	if err != nil {
		return store.Checkpoint{}, err
	}
	return loaded, nil
}

// Save implements store.Checkpoints.
func (s *Store) Save(ctx context.Context, watch string, change store.Change) error {
	if err := codec.ValidateChange(change); err != nil {
		return fmt.Errorf("store %s: save checkpoint: %w", s.path, err)
	}
	return s.write(ctx, "save checkpoint", func(t tx) error {
		c, err := t.checkpoint(watch)
		if err != nil {
			return err
		}
		prefix := join([]byte{entryPrefix}, hash(watch))
		// bbolt writes sorted keys much faster.
		for _, name := range slices.Sorted(maps.Keys(change.Inventory)) {
			e := change.Inventory[name]
			key := join(prefix, []byte(name))
			if e == nil {
				err = t.delete(key)
			} else {
				err = t.put(key, codec.AppendEntry(nil, e))
			}
			if err != nil {
				return fmt.Errorf("inventory entry %q: %w", name, err)
			}
		}
		if change.Watermark != nil {
			c.Position = change.Watermark.Position
		}
		if change.Triggers != nil {
			c.Triggers = slices.Sorted(slices.Values(change.Triggers))
		}
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		return t.put(join([]byte{checkpointPrefix}, hash(watch)), value)
	})
}

// Delete implements store.Checkpoints.
func (s *Store) Delete(ctx context.Context, watch string) error {
	return s.write(ctx, "delete checkpoint", func(t tx) error {
		prefix := join([]byte{entryPrefix}, hash(watch))
		var keys [][]byte
		for r, err := range t.scan(prefix) {
			if err != nil {
				return err
			}
			keys = append(keys, join(prefix, r.key))
		}
		for _, key := range append(keys, join([]byte{checkpointPrefix}, hash(watch))) {
			if err := t.delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// Watches implements store.Checkpoints.
func (s *Store) Watches(ctx context.Context) ([]string, error) {
	var watches []string
	err := s.read(ctx, "list watches", func(t tx) error {
		for r, err := range t.scan([]byte{checkpointPrefix}) {
			if err != nil {
				return err
			}
			var c checkpoint
			if err := json.Unmarshal(r.value, &c); err != nil {
				return fmt.Errorf("checkpoint: %w: %w", store.ErrDamaged, err)
			}
			watches = append(watches, c.Watch)
		}
		return nil
	})
	slices.Sort(watches)
	return watches, err
}
