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
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/file"
)

func TestOpen_Permissions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	must(t, open(t, path).Close())
	for _, path := range []string{path, path + file.KeySuffix} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", path, info.Mode())
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("unexpected files: %v, %v", files, err)
	}
}

func TestOpen_Rejected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	database := func(name string, fill func(tx *bolt.Tx) error, o *bolt.Options) string {
		path := filepath.Join(dir, name)
		db, err := bolt.Open(path, 0o600, o)
		must(t, err)
		for range 2 {
			must(t, db.Update(fill))
		}
		must(t, db.Close())
		return path
	}
	other := func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte("members"))
		return err
	}
	must(t, os.Mkdir(filepath.Join(dir, "dir"), 0o700))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for name, c := range map[string]struct {
		path string
		err  error
		text string
	}{
		"directory":       {filepath.Join(dir, "dir"), store.ErrForeign, "directory"},
		"pipe":            {filepath.Join(dir, "pipe"), store.ErrForeign, "not a regular file"},
		"empty":           {write("empty", ""), store.ErrForeign, "empty"},
		"one byte":        {write("byte", "x"), store.ErrForeign, "empty or short"},
		"text":            {write("text", strings.Repeat("not a store\n", 4000)), store.ErrForeign, "another kind"},
		"zeroes":          {write("zeroes", strings.Repeat("\x00", 1<<16)), store.ErrForeign, "another kind"},
		"other database":  {database("other", other, &bolt.Options{NoFreelistSync: true, PageSize: 4096}), store.ErrForeign, "another program"},
		"other options":   {database("synced", other, &bolt.Options{PageSize: 4096}), store.ErrForeign, "another program"},
		"other page size": {database("pages", other, &bolt.Options{PageSize: 8192}), store.ErrForeign, ""},
		"no directory":    {filepath.Join(dir, "none", "store.db"), os.ErrNotExist, "create"},
		"below a file":    {filepath.Join(write("file", "x"), "store.db"), syscall.ENOTDIR, ""},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			before, _ := os.ReadFile(regular(c.path))
			s, err := file.Open(t.Context(), c.path, file.Options{})
			if err == nil {
				t.Fatal("opened", s.Close())
			}
			if !errors.Is(err, c.err) && !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), c.text) || strings.Count(err.Error(), c.path) != 1 {
				t.Errorf("got %v, want %v that contains %q and the path once", err, c.err, c.text)
			}
			if after, _ := os.ReadFile(regular(c.path)); !bytes.Equal(before, after) {
				t.Error("the file was modified")
			}
		})
	}
}

// regular returns path; empty if it is not a regular file, since reading a pipe would
// block.
func regular(path string) string {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

func TestOpen_Unreadable(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root can read all files")
	}
	path := filepath.Join(t.TempDir(), "store.db")
	must(t, open(t, path).Close())
	must(t, os.Chmod(path, 0))
	if _, err := file.Open(t.Context(), path, file.Options{}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v, want a permission error", err)
	}
}

func TestOpen_NewerFormat(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	fillStore(t, path, 10)
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(file.BucketName)).Put([]byte("A"), file.AppendChecksum([]byte(`{"format":4,"new":true}`), 'A'))
	}))
	must(t, db.Close())
	before, err := os.ReadFile(path)
	must(t, err)
	_, err = file.Open(t.Context(), path, file.Options{})
	if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), "format 4") {
		t.Errorf("got %v, want foreign format 4", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Error("the file was modified", err)
	}
}
