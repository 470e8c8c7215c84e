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
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// checkpoints implements store.Checkpoints.
type checkpoints struct{ *Store }

// Checkpoints implements store.Store.
func (s *Store) Checkpoints() store.Checkpoints { return checkpoints{s} }

// checkpoint is a stored checkpoint without its values.
type checkpoint struct {
	Name string `json:"name"`
	// ID identifies the checkpoint in the keys of its values.
	ID     uint64 `json:"id"`
	Cursor string `json:"cursor,omitempty"`
}

// hash returns a hash of fixed size, for use in keys.
func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:8]
}

func checkpointKey(name string) []byte { return join([]byte{checkpointPrefix}, hash(name)) }

// valueKeyPrefix returns the prefix of the keys of the values. It is not a prefix of that
// of another checkpoint.
func (c checkpoint) valueKeyPrefix() []byte {
	return binary.AppendUvarint([]byte{valuePrefix}, c.ID)
}

// checkpoint returns the checkpoint of name; one without an ID if there is none.
func (t tx) checkpoint(name string) (checkpoint, error) {
	var c checkpoint
	value, err := t.get(checkpointKey(name))
	if err != nil {
		return checkpoint{}, err
	}
	if value == nil {
		return checkpoint{Name: name}, nil
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return checkpoint{}, fmt.Errorf("checkpoint: %w: %w", store.ErrDamaged, err)
	}
	if c.Name != name {
		return checkpoint{}, fmt.Errorf("checkpoint of %q found in place of %q: %w", c.Name, name, store.ErrDamaged)
	}
	return c, nil
}

// Load implements store.Checkpoints.
func (s checkpoints) Load(ctx context.Context, name string) (store.Checkpoint, error) {
	loaded := store.Checkpoint{Values: map[string][]byte{}}
	err := s.read(ctx, "load checkpoint", func(t tx) error {
		c, err := t.checkpoint(name)
		if err != nil {
			return err
		}
		loaded.Cursor = c.Cursor
		for r, err := range t.scan(c.valueKeyPrefix()) {
			if err != nil {
				return err
			}
			loaded.Values[string(r.key)] = bytes.Clone(r.value)
		}
		return nil
	})
	if err != nil {
		return store.Checkpoint{}, err
	}
	return loaded, nil
}

// Save implements store.Checkpoints.
func (s checkpoints) Save(ctx context.Context, name string, change store.Change) error {
	if err := codec.ValidateChange(change); err != nil {
		return fmt.Errorf("store %s: save checkpoint: %w", s.path, err)
	}
	return s.write(ctx, "save checkpoint", func(t tx) error { return t.saveCheckpoint(name, change) })
}

func (t tx) saveCheckpoint(name string, change store.Change) error {
	c, err := t.checkpoint(name)
	if err != nil {
		return err
	}
	if c.ID == 0 {
		c.ID = t.nextSequence()
	}
	prefix := c.valueKeyPrefix()
	// bbolt writes sorted keys much faster.
	for _, key := range slices.Sorted(maps.Keys(change.Values)) {
		v := change.Values[key]
		if v == nil {
			err = t.delete(join(prefix, []byte(key)))
		} else {
			err = t.put(join(prefix, []byte(key)), v)
		}
		if err != nil {
			return fmt.Errorf("value %q: %w", key, err)
		}
	}
	if change.Cursor != nil {
		c.Cursor = *change.Cursor
	}
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return t.put(checkpointKey(name), value)
}

// Delete implements store.Checkpoints.
func (s checkpoints) Delete(ctx context.Context, name string) error {
	return s.write(ctx, "delete checkpoint", func(t tx) error {
		c, err := t.checkpoint(name)
		if err != nil {
			return err
		}
		if err := t.deleteAll(c.valueKeyPrefix()); err != nil {
			return err
		}
		return t.delete(checkpointKey(name))
	})
}

// List implements store.Checkpoints.
func (s checkpoints) List(ctx context.Context) ([]string, error) {
	var names []string
	err := s.read(ctx, "list checkpoints", func(t tx) error {
		for r, err := range t.scan([]byte{checkpointPrefix}) {
			if err != nil {
				return err
			}
			var c checkpoint
			if err := json.Unmarshal(r.value, &c); err != nil {
				return fmt.Errorf("checkpoint: %w: %w", store.ErrDamaged, err)
			}
			names = append(names, c.Name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}
