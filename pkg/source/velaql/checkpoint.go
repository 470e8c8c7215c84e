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
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// resultValue is the name of the value that contains the result's JSON.
const resultValue = "result"

// checkpoint saves the last acknowledged result of one trigger. The cursor is
// "number hash". It is safe for concurrent use after load.
type checkpoint struct {
	options Options
	key     string

	mu sync.Mutex
	// number is that of the last saved snapshot.
	number int64
}

// load returns the last saved snapshot, or the zero snapshot.
func (c *checkpoint) load(ctx context.Context) (snapshot, error) {
	if c.options.Checkpoints == nil {
		return snapshot{}, nil
	}
	if c.options.FromNow {
		return snapshot{}, c.options.Checkpoints.Delete(ctx, c.key)
	}
	saved, err := c.options.Checkpoints.Load(ctx, c.key)
	if err != nil || saved.Cursor == "" {
		return snapshot{}, err
	}
	number, hash, ok := strings.Cut(saved.Cursor, " ")
	var last snapshot
	if last.number, err = strconv.ParseInt(number, 10, 64); err != nil || !ok || len(hash) != hex.EncodedLen(sha256.Size) {
		return snapshot{}, fmt.Errorf("result %q: %w", saved.Cursor, store.ErrDamaged)
	}
	last.hash = hash
	if text := saved.Values[resultValue]; hashJSON(text) == hash { // otherwise it is that of a later, unfinished save
		last.text = text
	}
	c.number = last.number
	return last, nil
}

// save saves v before it returns.
func (c *checkpoint) save(ctx context.Context, v snapshot) error {
	if c.options.Checkpoints == nil {
		return nil
	}
	change, _ := c.change(v)
	return c.options.Checkpoints.Save(ctx, c.key, change)
}

// saveAsync saves v in the background, unless a later one was saved.
func (c *checkpoint) saveAsync(v snapshot) {
	if c.options.Saver == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if change, newer := c.change(v); newer {
		c.options.Saver.Save(c.key, change)
	}
}

// change returns the store change that saves v, and whether v is later than the last
// saved snapshot.
func (c *checkpoint) change(v snapshot) (store.Change, bool) {
	newer := v.number > c.number
	c.number = max(c.number, v.number)
	cursor := fmt.Sprintf("%d %s", v.number, v.hash)
	text := v.text
	if len(text) > MaxOldBytes {
		text = nil
	}
	return store.Change{Cursor: &cursor, Values: map[string][]byte{resultValue: text}}, newer
}

func hashJSON(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// decode returns the result, and false if it is unknown.
func (s snapshot) decode() (any, bool) {
	if s.text == nil {
		return nil, false
	}
	value, err := number.Unmarshal(s.text)
	return value, err == nil
}
