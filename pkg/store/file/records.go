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
	"encoding/json"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// bucketName is the name of the only bucket. It contains all records. Every value
// ends with a MAC of its key and value; in formats 1 and 2, with a checksum.
const bucketName = "kube-trigger"

// format is the version of the records' format.
const format = 3

// checksumFormat is the format without MACs. It is otherwise the same.
const checksumFormat = 2

// The first byte of a key is the type of the record. The header is the first
// record.
const (
	headerKey             = 'A'
	checkpointPrefix      = 'C' // hash of the name
	valuePrefix           = 'V' // ID of the checkpoint, name of the value
	deadLetterPrefix      = 'L' // ID
	deadLetterEventPrefix = 'B' // ID
	agePrefix             = 'O' // time of storing, ID
	queuePrefix           = 'S' // hash of the source, sequence number
	queueIndexPrefix      = 'T' // hash of source and ID
)

// header is the first record.
type header struct {
	Format int `json:"format"`
	// Records counts the other records.
	Records int `json:"records"`
	// Dropped counts the dead letters that exceeded the limits.
	Dropped uint64 `json:"dropped,omitempty"`
	// Queued counts the events in the queue.
	Queued int `json:"queued,omitempty"`
	// Sequence is the last sequence number, of an event in the queue or a checkpoint.
	Sequence uint64 `json:"sequence,omitempty"`
	// Owner is the owner of the store.
	Owner string `json:"owner,omitempty"`
}

// tx is a transaction. In a read-only transaction, header is nil.
type tx struct {
	bucket *bolt.Bucket
	header *header
	key    recordKey
}

// withHeader returns a transaction that reads the header, runs f, and writes the
// header.
func (s *Store) withHeader(f func(tx) error) func(*bolt.Tx) error {
	return func(t *bolt.Tx) error {
		w := tx{t.Bucket([]byte(bucketName)), &header{}, s.keyFile.key}
		if err := w.json([]byte{headerKey}, w.header); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		if err := f(w); err != nil {
			return err
		}
		return w.writeHeader()
	}
}

// writeHeader initializes an empty store without MACs.
func writeHeader(t *bolt.Tx) error {
	bucket, err := t.CreateBucketIfNotExists([]byte(bucketName))
	if err != nil {
		return err
	}
	text, err := json.Marshal(header{Format: checksumFormat})
	if err != nil {
		return err
	}
	return bucket.Put([]byte{headerKey}, codec.AppendChecksum(text, headerKey))
}

func (t tx) writeHeader() error {
	text, err := json.Marshal(t.header)
	if err != nil {
		return err
	}
	key := []byte{headerKey}
	return t.bucket.Put(key, t.key.seal(key, text))
}

// get returns the value at key, or nil. The value is valid until the end of the
// transaction.
func (t tx) get(key []byte) ([]byte, error) {
	return t.verify(key, t.bucket.Get(key))
}

// verify returns stored without its MAC. It returns nil if stored is nil.
func (t tx) verify(key, stored []byte) ([]byte, error) {
	if stored == nil {
		return nil, nil
	}
	value, err := t.key.open(key, stored)
	if err != nil {
		return nil, fmt.Errorf("record %q: %w", key, err)
	}
	return value, nil
}

// json decodes the value at key into v. It returns ErrNotFound if there is none.
func (t tx) json(key []byte, v any) error {
	value, err := t.get(key)
	if err != nil {
		return err
	}
	if value == nil {
		return store.ErrNotFound
	}
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("record %q: %w: %w", key, store.ErrDamaged, err)
	}
	return nil
}

func (t tx) put(key, value []byte) error {
	if t.bucket.Get(key) == nil {
		t.header.Records++
	}
	return t.bucket.Put(key, t.key.seal(key, value))
}

func (t tx) delete(key []byte) error {
	if t.bucket.Get(key) == nil {
		return nil
	}
	t.header.Records--
	return t.bucket.Delete(key)
}

// nextSequence returns a new sequence number, larger than all before.
func (t tx) nextSequence() uint64 {
	t.header.Sequence++
	return t.header.Sequence
}

// scan returns the records whose keys start with prefix, in the order of their
// keys. Their keys do not include the prefix. The records are valid until the next
// write. The iteration ends after the first error.
func (t tx) scan(prefix []byte) iter.Seq2[record, error] { return t.scanAfter(prefix, nil) }

// scanAfter is like scan, but skips the records up to the key last, inclusively.
func (t tx) scanAfter(prefix, last []byte) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		c := t.bucket.Cursor()
		start := join(prefix, last)
		key, stored := c.Seek(start)
		if last != nil && bytes.Equal(key, start) {
			key, stored = c.Next()
		}
		for ; bytes.HasPrefix(key, prefix); key, stored = c.Next() {
			value, err := t.verify(key, stored)
			if !yield(record{key[len(prefix):], value}, err) || err != nil {
				return
			}
		}
	}
}

// record is a key and its value.
type record struct{ key, value []byte }

// count returns the number of records whose keys start with prefix, at most limit.
func (t tx) count(prefix []byte, limit int) int {
	n := 0
	c := t.bucket.Cursor()
	for key, _ := c.Seek(prefix); n < limit && bytes.HasPrefix(key, prefix); key, _ = c.Next() {
		n++
	}
	return n
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
