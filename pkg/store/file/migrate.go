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
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/migrate"
)

// Records of format 1 whose types are no longer used.
const (
	oldCheckpointPrefix = 'M' // hash of the watch
	oldEntryPrefix      = 'I' // hash of the watch, key of the object
	oldRunPrefix        = 'R' // sequence number
)

// migrate converts a store of format 1, in one transaction.
func (s *Store) migrate(ctx context.Context) error {
	return s.do(ctx, "convert the store from format 1", func() error {
		return s.db.Update(func(t *bolt.Tx) error {
			var old migrate.Header
			w := tx{t.Bucket([]byte(bucketName)), nil}
			if err := w.json([]byte{headerKey}, &old); err != nil {
				return fmt.Errorf("header: %w", err)
			}
			w.header = &header{
				Format: format, Records: old.Records, Dropped: old.Dropped, Queued: old.Queued, Sequence: old.Sequence, Owner: old.Owner,
			}
			for _, convert := range []func() error{w.migrateCheckpoints, w.migrateDeadLetters} {
				if err := convert(); err != nil {
					return err
				}
			}
			for _, prefix := range []byte{oldCheckpointPrefix, oldEntryPrefix, oldRunPrefix} {
				if err := w.deleteAll([]byte{prefix}); err != nil {
					return err
				}
			}
			return w.writeHeader()
		})
	})
}

func (t tx) migrateCheckpoints() error {
	checkpoints, err := t.all([]byte{oldCheckpointPrefix})
	if err != nil {
		return err
	}
	for _, r := range checkpoints {
		var c migrate.Checkpoint
		if err := json.Unmarshal(r.value, &c); err != nil {
			return fmt.Errorf("checkpoint: %w: %w", store.ErrDamaged, err)
		}
		entries, err := t.all(join([]byte{oldEntryPrefix}, hash(c.Name)))
		if err != nil {
			return err
		}
		c.Inventory = make(map[string][]byte, len(entries))
		for _, e := range entries {
			c.Inventory[string(e.key)] = e.value
		}
		change, err := c.Convert()
		if err != nil {
			return err
		}
		if err := t.saveCheckpoint(c.Name, change); err != nil {
			return err
		}
	}
	return nil
}

func (t tx) migrateDeadLetters() error {
	deadLetters, err := t.all([]byte{deadLetterPrefix})
	if err != nil {
		return err
	}
	for _, r := range deadLetters {
		value, err := migrate.DeadLetter(r.value)
		if err != nil {
			return err
		}
		if err := t.put(deadLetterKey(string(r.key)), value); err != nil {
			return err
		}
	}
	return nil
}

// all returns copies of the records whose keys start with prefix, as scan does.
func (t tx) all(prefix []byte) ([]record, error) {
	var records []record
	for r, err := range t.scan(prefix) {
		if err != nil {
			return nil, err
		}
		records = append(records, record{bytes.Clone(r.key), bytes.Clone(r.value)})
	}
	return records, nil
}

// deleteAll deletes the records whose keys start with prefix.
func (t tx) deleteAll(prefix []byte) error {
	records, err := t.all(prefix)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := t.delete(join(prefix, r.key)); err != nil {
			return err
		}
	}
	return nil
}
