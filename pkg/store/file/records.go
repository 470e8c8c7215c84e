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

// bucketName names the one bucket, which holds all records. Each ends in a
// checksum of its key and value.
const bucketName = "kube-trigger"

// format is the version of what the records mean.
const format = 1

// What the first byte of a key says. The header comes first.
const (
	headerKey             = 'A'
	checkpointPrefix      = 'M' // and the hash of the watch
	entryPrefix           = 'I' // and the hash of the watch, and the object's key
	deadLetterPrefix      = 'L' // and the ID
	deadLetterEventPrefix = 'B' // and the ID: the letter's event
	agePrefix             = 'O' // and when it was buried, and the ID
	queuePrefix           = 'S' // and the hash of the source, and a number
	queueIndexPrefix      = 'T' // and the hash of source and ID
	runKey                = 'R' // and a number
)

// header is the first record.
type header struct {
	Format int `json:"format"`
	// Records counts the others.
	Records int `json:"records"`
	// Dropped counts letters.
	Dropped uint64 `json:"dropped,omitempty"`
	// Queued counts the events in the spool.
	Queued int `json:"spooled,omitempty"`
	// Sequence is the number of the last event in the spool, or run.
	Sequence uint64 `json:"next,omitempty"`
	// Owner is whose store it is.
	Owner string `json:"owner,omitempty"`
}

// tx reads records and, where it has a header, writes them.
type tx struct {
	bucket *bolt.Bucket
	header *header
}

// withHeader returns f as a transaction that keeps the header.
func withHeader(f func(tx) error) func(*bolt.Tx) error {
	return func(t *bolt.Tx) error {
		w := tx{t.Bucket([]byte(bucketName)), &header{}}
		if err := w.json([]byte{headerKey}, w.header); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		if err := f(w); err != nil {
			return err
		}
		return w.writeHeader()
	}
}

// writeHeader makes an empty store.
func writeHeader(t *bolt.Tx) error {
	bucket, err := t.CreateBucketIfNotExists([]byte(bucketName))
	if err != nil {
		return err
	}
	return tx{bucket, &header{Format: format}}.writeHeader()
}

func (t tx) writeHeader() error {
	text, err := json.Marshal(t.header)
	if err != nil {
		return err
	}
	key := []byte{headerKey}
	return t.bucket.Put(key, codec.AppendChecksum(text, key...))
}

// get returns the value at key, valid until the end of the transaction, or
// nil.
func (t tx) get(key []byte) ([]byte, error) {
	return verify(key, t.bucket.Get(key))
}

func verify(key, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	value, err := codec.VerifyChecksum(sealed, key...)
	if err != nil {
		return nil, fmt.Errorf("record %q: %w", key, err)
	}
	return value, nil
}

// json decodes the value at key into v.
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
	return t.bucket.Put(key, codec.AppendChecksum(bytes.Clone(value), key...))
}

func (t tx) delete(key []byte) error {
	if t.bucket.Get(key) == nil {
		return nil
	}
	t.header.Records--
	return t.bucket.Delete(key)
}

// nextSequence returns a number that no other record has had.
func (t tx) nextSequence() uint64 {
	t.header.Sequence++
	return t.header.Sequence
}

// scan returns the records whose keys begin with prefix, in order, without
// the prefix, valid until the next write. It ends with the first error.
func (t tx) scan(prefix []byte) iter.Seq2[record, error] { return t.scanAfter(prefix, nil) }

// scanAfter is below, from behind the given key on.
func (t tx) scanAfter(prefix, last []byte) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		c := t.bucket.Cursor()
		from := join(prefix, last)
		key, sealed := c.Seek(from)
		if last != nil && bytes.Equal(key, from) {
			key, sealed = c.Next()
		}
		for ; bytes.HasPrefix(key, prefix); key, sealed = c.Next() {
			value, err := verify(key, sealed)
			if !yield(record{key[len(prefix):], value}, err) || err != nil {
				return
			}
		}
	}
}

// record is one record.
type record struct{ key, value []byte }

// count returns the number of records below prefix, at most limit.
func (t tx) count(prefix []byte, limit int) int {
	n := 0
	c := t.bucket.Cursor()
	for key, _ := c.Seek(prefix); n < limit && bytes.HasPrefix(key, prefix); key, _ = c.Next() {
		n++
	}
	return n
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
