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
	headerKey  = 'A'
	markKey    = 'M' // and the hash of the watch
	entryKey   = 'I' // and the hash of the watch, and the object's key
	letterKey  = 'L' // and the ID
	bodyKey    = 'B' // and the ID: the letter's event
	ageKey     = 'O' // and when it was buried, and the ID
	spoolKey   = 'S' // and the hash of the source, and a number
	spooledKey = 'T' // and the hash of source and ID
	runKey     = 'R' // and a number
)

// header is the first record.
type header struct {
	Format int `json:"format"`
	// Records counts the others.
	Records int `json:"records"`
	// Dropped counts letters.
	Dropped uint64 `json:"dropped,omitempty"`
	// Spooled counts the events in the spool.
	Spooled int `json:"spooled,omitempty"`
	// Next is the number of the last event in the spool, or run.
	Next uint64 `json:"next,omitempty"`
	// Owner is whose store it is.
	Owner string `json:"owner,omitempty"`
}

// tx reads records and, where it has a header, writes them.
type tx struct {
	bucket *bolt.Bucket
	header *header
}

// writing returns f as a transaction that keeps the header.
func writing(f func(tx) error) func(*bolt.Tx) error {
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
	return t.bucket.Put(key, codec.Seal(text, key...))
}

// get returns the value at key, valid until the end of the transaction, or
// nil.
func (t tx) get(key []byte) ([]byte, error) {
	return unseal(key, t.bucket.Get(key))
}

func unseal(key, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	value, err := codec.Unseal(sealed, key...)
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
	return t.bucket.Put(key, codec.Seal(bytes.Clone(value), key...))
}

func (t tx) delete(key []byte) error {
	if t.bucket.Get(key) == nil {
		return nil
	}
	t.header.Records--
	return t.bucket.Delete(key)
}

// next returns a number that no other record has had.
func (t tx) next() uint64 {
	t.header.Next++
	return t.header.Next
}

// below returns the records whose keys begin with prefix, in order, without
// the prefix, valid until the next write. It ends with the first error.
func (t tx) below(prefix []byte) iter.Seq2[pair, error] { return t.after(prefix, nil) }

// after is below, from behind the given key on.
func (t tx) after(prefix, last []byte) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		c := t.bucket.Cursor()
		from := join(prefix, last)
		key, sealed := c.Seek(from)
		if last != nil && bytes.Equal(key, from) {
			key, sealed = c.Next()
		}
		for ; bytes.HasPrefix(key, prefix); key, sealed = c.Next() {
			value, err := unseal(key, sealed)
			if !yield(pair{key[len(prefix):], value}, err) || err != nil {
				return
			}
		}
	}
}

// pair is one record.
type pair struct{ key, value []byte }

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
