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
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// KeySuffix is the suffix of the file with the key of a store's records.
const KeySuffix = ".mac"

// newKeySuffix is the suffix of a new key file, until all records have a MAC.
const newKeySuffix = KeySuffix + ".new"

// keyFile is the key of a store's records. Only the process that has the store locked
// uses it.
type keyFile struct {
	// path is the path of the store.
	path string
	key  recordKey
	// final is set if the key is in use: all records of the store have a MAC.
	final bool
}

// readKeyFile reads the key of the store at path. It is nil if there is none.
func readKeyFile(path string) (keyFile, error) {
	f := keyFile{path: path}
	for _, suffix := range []string{KeySuffix, newKeySuffix} {
		key, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return f, fmt.Errorf("key file %s: %w", f.name(), trimPath(err))
		}
		if len(key) != sha256.Size {
			return f, fmt.Errorf("key file %s: %d bytes, want %d: %w", filepath.Base(path+suffix), len(key), sha256.Size, store.ErrDamaged)
		}
		f.key, f.final = key, suffix == KeySuffix
		break
	}
	return f, nil
}

// name returns the name of the file, for errors.
func (f keyFile) name() string { return filepath.Base(f.path + KeySuffix) }

// create creates a key, unless there is one. It is durable when create returns.
func (f *keyFile) create() (err error) {
	if f.key != nil {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("create key file %s: %w", f.name(), trimPath(err))
		}
	}()
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+newKeySuffix+".*")
	if err != nil {
		return err
	}
	_, err = temp.Write(key)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), f.path+newKeySuffix)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	f.key = key
	return syncDir(filepath.Dir(f.path))
}

// finish records that all records of the store have a MAC.
func (f *keyFile) finish() error {
	if f.final {
		return nil
	}
	if err := os.Rename(f.path+newKeySuffix, f.path+KeySuffix); err != nil {
		return fmt.Errorf("create key file %s: %w", f.name(), trimPath(err))
	}
	f.final = true
	return syncDir(filepath.Dir(f.path))
}
