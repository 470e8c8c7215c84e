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

package velaql

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// checkpoint remembers what is done. A mark is "number hash"; the inventory is the
// text, in pieces.
type checkpoint struct {
	options Options
	key     string

	mu sync.Mutex
	// number is that of what was saved last, and pieces how many there are of it at
	// most.
	number int64
	chunks int
}

// load returns what was saved last.
func (s *checkpoint) load(ctx context.Context) (snapshot, error) {
	if s.options.Checkpoints == nil {
		return snapshot{}, nil
	}
	if s.options.FromNow {
		return snapshot{}, s.options.Checkpoints.Delete(ctx, s.key)
	}
	saved, err := s.options.Checkpoints.Load(ctx, s.key)
	if err != nil || saved.Position == "" {
		return snapshot{}, err
	}
	number, hash, ok := strings.Cut(saved.Position, " ")
	var last snapshot
	if last.number, err = strconv.ParseInt(number, 10, 64); err != nil || !ok || len(hash) != hex.EncodedLen(sha256.Size) {
		return snapshot{}, fmt.Errorf("result %q: %w", saved.Position, store.ErrDamaged)
	}
	last.hash = hash
	var text []byte
	for i := range len(saved.Inventory) {
		text = append(text, saved.Inventory[chunkName(i)].State...)
	}
	if hashJSON(text) == hash { // else it is of what comes next
		last.text = text
	}
	s.number, s.chunks = last.number, len(saved.Inventory)
	return last, nil
}

// save saves what is shown before it returns.
func (s *checkpoint) save(ctx context.Context, v snapshot) error {
	if s.options.Checkpoints == nil {
		return nil
	}
	c, _ := s.change(v)
	return s.options.Checkpoints.Save(ctx, s.key, c)
}

// saveAsync takes note that what is shown is done.
func (s *checkpoint) saveAsync(v snapshot) {
	if s.options.Saver == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, newer := s.change(v); newer {
		s.options.Saver.Save(s.key, c)
	}
}

// change returns what saves v, and whether it is newer than what was saved.
func (s *checkpoint) change(v snapshot) (store.Change, bool) {
	newer := v.number > s.number
	s.number = max(s.number, v.number)
	c := store.Change{Watermark: &store.Watermark{Position: fmt.Sprintf("%d %s", v.number, v.hash)}, Inventory: map[string]*store.Entry{}}
	text := v.text
	if len(text) > MaxOldBytes {
		text = nil
	}
	n := 0
	for part := range slices.Chunk(text, store.MaxState) {
		c.Inventory[chunkName(n)] = &store.Entry{State: bytes.Clone(part)}
		n++
	}
	for i := n; i < s.chunks; i++ {
		c.Inventory[chunkName(i)] = nil
	}
	s.chunks = max(s.chunks, n)
	return c, newer
}

func chunkName(i int) string { return fmt.Sprintf("old/%04d", i) }

func hashJSON(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// decode returns the result of s, where it is known.
func (s snapshot) decode() (any, bool) {
	var value any
	if s.text == nil || json.Unmarshal(s.text, &value) != nil {
		return nil, false
	}
	return value, true
}
