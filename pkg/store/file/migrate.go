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
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
	"github.com/kubevela/kube-trigger/pkg/store/internal/migrate"
)

// Records of format 1 whose types are no longer used.
const (
	oldCheckpointPrefix = 'M' // hash of the watch
	oldEntryPrefix      = 'I' // hash of the watch, key of the object
	oldRunPrefix        = 'R' // sequence number
)

// migrate converts a store of an earlier format with the header h, in one transaction.
func (s *Store) migrate(ctx context.Context, h header) error {
	return s.do(ctx, fmt.Sprintf("convert the store from format %d", h.Format), func() error {
		return s.db.Update(func(t *bolt.Tx) error {
			w := tx{t.Bucket([]byte(bucketName)), &h, s.keyFile.key}
			if err := w.migrateChecksums(); err != nil {
				return err
			}
			if h.Format == migrate.Format {
				if err := w.migrateRecords(); err != nil {
					return err
				}
			}
			h.Format = format
			return w.writeHeader()
		})
	})
}

// migrateChecksums replaces the checksums of all records by MACs.
func (t tx) migrateChecksums() error {
	var keys [][]byte
	c := t.bucket.Cursor()
	for key, _ := c.First(); key != nil; key, _ = c.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	for _, key := range keys {
		value, err := codec.VerifyChecksum(t.bucket.Get(key), key...)
		if err != nil {
			return fmt.Errorf("record %q: %w", key, err)
		}
		if err := t.bucket.Put(key, t.key.seal(key, value)); err != nil {
			return err
		}
	}
	return nil
}

// migrateRecords converts the records of format 1, which have MACs already.
func (t tx) migrateRecords() error {
	var old migrate.Header
	if err := t.json([]byte{headerKey}, &old); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	t.header.Queued, t.header.Sequence = old.Queued, old.Sequence
	for _, convert := range []func() error{t.migrateCheckpoints, t.migrateDeadLetters} {
		if err := convert(); err != nil {
			return err
		}
	}
	for _, prefix := range []byte{oldCheckpointPrefix, oldEntryPrefix, oldRunPrefix} {
		if err := t.deleteAll([]byte{prefix}); err != nil {
			return err
		}
	}
	return nil
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
