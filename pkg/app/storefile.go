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

package app

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretKeySize is the size of the key for hashes of Secrets, in bytes.
const secretKeySize = 32

// defaultStorePath returns the path of the store file of a configuration and the
// API server at host. It creates the directory, and returns an error unless that
// is writable.
func defaultStorePath(config, host string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		state = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(state, "kube-trigger")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return "", err
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return "", err
	}
	if config, err = filepath.Abs(config); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(config + "\n" + host))
	base := strings.TrimSuffix(filepath.Base(config), filepath.Ext(config))
	return filepath.Join(dir, base+"-"+hex.EncodeToString(sum[:6])+".db"), nil
}

// socketPath returns the path of the Unix socket of the process that has the
// store file open.
func socketPath(store string) string { return store + ".sock" }

// loadSecretKey returns the key in the file at path. It creates the file if there
// is none.
func loadSecretKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, secretKeySize)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("create key: %w", err)
		}
		if err := os.WriteFile(path, key, 0o600); err != nil {
			return nil, fmt.Errorf("create key: %w", err)
		}
		return key, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if len(key) != secretKeySize {
		return nil, fmt.Errorf("read key: %s has %d bytes, not %d; delete it, and kube-trigger creates a new one", path, len(key), secretKeySize)
	}
	return key, nil
}
