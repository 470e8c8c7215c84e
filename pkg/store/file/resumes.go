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

// checkpoint is a resume point without its inventory.
type checkpoint struct {
	Watch    string   `json:"watch"`
	Position string   `json:"position,omitempty"`
	Triggers []string `json:"triggers,omitempty"`
}

// hash stands for a text of any length within a key.
func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:8]
}

// checkpoint reads the mark of watch; a new one where there is none.
func (t tx) checkpoint(watch string) (checkpoint, error) {
	var m checkpoint
	value, err := t.get(join([]byte{checkpointPrefix}, hash(watch)))
	if err != nil {
		return checkpoint{}, err
	}
	if value == nil {
		return checkpoint{Watch: watch}, nil
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return checkpoint{}, fmt.Errorf("mark: %w: %w", store.ErrDamaged, err)
	}
	if m.Watch != watch {
		return checkpoint{}, fmt.Errorf("mark of %q where that of %q belongs: %w", m.Watch, watch, store.ErrDamaged)
	}
	return m, nil
}

// Load implements store.Resumes.
func (s *Store) Load(ctx context.Context, watch string) (store.Checkpoint, error) {
	r := store.Checkpoint{Inventory: map[string]store.Entry{}}
	err := s.read(ctx, "load", func(t tx) error {
		m, err := t.checkpoint(watch)
		if err != nil {
			return err
		}
		r.Watermark = store.Watermark{Position: m.Position}
		r.Triggers = m.Triggers
		for p, err := range t.scan(join([]byte{entryPrefix}, hash(watch))) {
			if err != nil {
				return err
			}
			e, rest, err := codec.DecodeEntry(p.value)
			if err != nil || e == nil || len(rest) > 0 {
				return fmt.Errorf("inventory entry %q: %w", p.key, store.ErrDamaged)
			}
			r.Inventory[string(p.key)] = *e
		}
		return nil
	})
	if err != nil {
		return store.Checkpoint{}, err
	}
	return r, nil
}

// Save implements store.Resumes.
func (s *Store) Save(ctx context.Context, watch string, c store.Change) error {
	if err := codec.ValidateChange(c); err != nil {
		return fmt.Errorf("store %s: save: %w", s.path, err)
	}
	return s.write(ctx, "save", func(t tx) error {
		m, err := t.checkpoint(watch)
		if err != nil {
			return err
		}
		prefix := join([]byte{entryPrefix}, hash(watch))
		// In the order of the keys, which is much faster than another.
		for _, key := range slices.Sorted(maps.Keys(c.Inventory)) {
			e := c.Inventory[key]
			at := join(prefix, []byte(key))
			if e == nil {
				err = t.delete(at)
			} else {
				err = t.put(at, codec.AppendEntry(nil, e))
			}
			if err != nil {
				return fmt.Errorf("inventory entry %q: %w", key, err)
			}
		}
		if c.Watermark != nil {
			m.Position = c.Watermark.Position
		}
		if c.Triggers != nil {
			m.Triggers = slices.Sorted(slices.Values(c.Triggers))
		}
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return t.put(join([]byte{checkpointPrefix}, hash(watch)), text)
	})
}

// Delete implements store.Resumes.
func (s *Store) Delete(ctx context.Context, watch string) error {
	return s.write(ctx, "forget", func(t tx) error {
		prefix := join([]byte{entryPrefix}, hash(watch))
		var keys [][]byte
		for p, err := range t.scan(prefix) {
			if err != nil {
				return err
			}
			keys = append(keys, join(prefix, p.key))
		}
		for _, key := range append(keys, join([]byte{checkpointPrefix}, hash(watch))) {
			if err := t.delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// Watches implements store.Resumes.
func (s *Store) Watches(ctx context.Context) ([]string, error) {
	var watches []string
	err := s.read(ctx, "list watches", func(t tx) error {
		for p, err := range t.scan([]byte{checkpointPrefix}) {
			if err != nil {
				return err
			}
			var m checkpoint
			if err := json.Unmarshal(p.value, &m); err != nil {
				return fmt.Errorf("mark: %w: %w", store.ErrDamaged, err)
			}
			watches = append(watches, m.Watch)
		}
		return nil
	})
	slices.Sort(watches)
	return watches, err
}
