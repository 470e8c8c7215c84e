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

package file_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

// edit changes the records of the store at path with bbolt.
func edit(t *testing.T, path string, change func(b *bolt.Bucket) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket([]byte(file.BucketName))) }))
	must(t, db.Close())
}

// records returns copies of the records whose keys start with prefix.
func records(b *bolt.Bucket, prefix string) (keys, values [][]byte) {
	c := b.Cursor()
	for k, v := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
		keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
	}
	return keys, values
}

// toFormat2 replaces the MACs of all records by checksums.
func toFormat2(t *testing.T, path string) {
	t.Helper()
	edit(t, path, func(b *bolt.Bucket) error {
		keys, values := records(b, "")
		for i, k := range keys {
			v := values[i][:len(values[i])-file.MACSize]
			if i == 0 {
				v = bytes.Replace(v, []byte(`"format":3`), []byte(`"format":2`), 1)
			}
			if err := b.Put(k, file.AppendChecksum(v, k...)); err != nil {
				return err
			}
		}
		return nil
	})
}

// wantRejected checks that the store at path is rejected with an error that contains text,
// and is not modified.
func wantRejected(t *testing.T, path, text string) {
	t.Helper()
	before, err := os.ReadFile(path)
	must(t, err)
	_, err = file.Open(t.Context(), path, file.Options{})
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want damaged and %q", err, text)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the store was modified: %v", err)
	}
}

// TestOpen_Forged writes records without the key.
func TestOpen_Forged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forge func(b *bolt.Bucket) error
		text  string
	}{
		"flipped-byte": {func(b *bolt.Bucket) error {
			keys, values := records(b, "S")
			values[0][10] ^= 1
			return b.Put(keys[0], values[0])
		}, `record "S`},
		"swapped-records": {func(b *bolt.Bucket) error {
			keys, values := records(b, "S")
			return errors.Join(b.Put(keys[0], values[1]), b.Put(keys[1], values[0]))
		}, `record "S`},
		"moved-key-boundary": {func(b *bolt.Bucket) error {
			keys, values := records(b, "S")
			key := append(bytes.Clone(keys[0]), values[0][0])
			return errors.Join(b.Delete(keys[0]), b.Put(key, values[0][1:]))
		}, `record "S`},
		"another-key": {func(b *bolt.Bucket) error {
			keys, values := records(b, "S")
			return b.Put(keys[0], file.Seal(make([]byte, 32), keys[0], values[0][:len(values[0])-file.MACSize]))
		}, `record "S`},
		"removed": {func(b *bolt.Bucket) error {
			keys, _ := records(b, "S")
			return b.Delete(keys[0])
		}, "records, want"},
		"without-mac": {func(b *bolt.Bucket) error {
			keys, _ := records(b, "S")
			return b.Put(keys[0], nil)
		}, `record "S`},
		"header": {func(b *bolt.Bucket) error {
			v := bytes.Replace(b.Get([]byte("A")), []byte(`"sequence"`), []byte(`"seQuence"`), 1)
			return b.Put([]byte("A"), v)
		}, "header: the key in store.db.mac is not that of the store, or the header is forged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			fillStore(t, path, 3)
			must(t, open(t, path).Close())
			edit(t, path, c.forge)
			wantRejected(t, path, c.text)
		})
	}
}

func TestOpen_Key(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	keyPath := path + file.KeySuffix
	fillStore(t, path, 3)
	s := open(t, path)
	want := dump(t, s)
	must(t, s.Close())
	key, err := os.ReadFile(keyPath)
	must(t, err)

	must(t, os.Remove(keyPath))
	wantRejected(t, path, "the key file store.db.mac is missing")
	if _, err := os.Stat(keyPath); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key for a store that has another one: %v", err)
	}
	must(t, os.WriteFile(keyPath, bytes.Repeat([]byte("x"), len(key)), 0o600))
	wantRejected(t, path, "the key in store.db.mac is not that of the store")
	must(t, os.WriteFile(keyPath, key[1:], 0o600))
	wantRejected(t, path, "store.db.mac: 31 bytes, want 32")

	// A process that was killed after it had converted a store.
	must(t, os.Remove(keyPath))
	must(t, os.WriteFile(keyPath+".new", key, 0o600))
	s = open(t, path)
	if dump(t, s) != want {
		t.Error("opened with different content")
	}
	must(t, s.Close())
	if after, err := os.ReadFile(keyPath); err != nil || !bytes.Equal(after, key) {
		t.Errorf("the key is not in use: %v", err)
	}

	// A new store uses the key that exists.
	must(t, os.Remove(path))
	must(t, open(t, path).Close())
	if after, err := os.ReadFile(keyPath); err != nil || !bytes.Equal(after, key) {
		t.Errorf("the key was replaced: %v", err)
	}
}

// TestOpen_Format2 converts a store without MACs once.
func TestOpen_Format2(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	fillStore(t, path, 400)
	s := open(t, path)
	want := dump(t, s)
	must(t, s.Close())
	toFormat2(t, path)
	wantRejected(t, path, "format 2 has no MACs")

	must(t, os.Remove(path+file.KeySuffix))
	for range 2 {
		s = open(t, path)
		if dump(t, s) != want {
			t.Error("opened with different content")
		}
		must(t, s.Queue().Enqueue(t.Context(), event.Event{Source: "webhook", ID: "0"})) // is in the queue already
		must(t, s.Close())
	}
	toFormat2(t, path)
	wantRejected(t, path, "format 2 has no MACs")
}

// TestQueue_Forged alters an event in the file of an open store.
func TestQueue_Forged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Queue().Enqueue(t.Context(), event.Event{Source: "webhook", ID: "1", Data: map[string]any{"run": "what-it-was"}}))
	b, err := os.ReadFile(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	altered := 0
	for at := 0; ; altered++ {
		i := bytes.Index(b[at:], []byte("what-it-was"))
		if i < 0 {
			break
		}
		_, err = f.WriteAt([]byte("WHAT"), int64(at+i))
		must(t, err)
		at += i + 1
	}
	for ev, err := range s.Queue().Pending(t.Context(), "webhook") {
		if altered == 0 || !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%d altered: got %v, %v, want damaged", altered, ev, err)
		}
	}
}
