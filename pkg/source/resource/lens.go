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

package resource

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"

	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// fieldTracker is what the triggers of a watch want to know of the object before: which
// of some fields changed, and what stood in others.
type fieldTracker struct {
	paths     []source.Path
	pathNames []string
	oldFields expr.FieldSet
	// deriveState is what a derivation remembers; nil where there is none.
	deriveState func(before []byte, object map[string]any) []byte
	// hashKey keys the hashes of fields.
	hashKey []byte
	// persistHashes is whether hashes may be saved.
	persistHashes bool
}

// fieldState is what a lens keeps of one object: a hash of each path, 0 where that is
// not known; the fields of old as JSON, and the note, nil where they are not.
type fieldState struct {
	hashes     []uint64
	old, state []byte
}

// newFieldTracker returns what all of shared want to know. Hashes of Secrets are keyed
// with secretKey; where there is none, they are not saved.
func newFieldTracker(shared []subscription, secret bool, secretKey []byte) fieldTracker {
	t := fieldTracker{persistHashes: true}
	for _, s := range shared {
		t.oldFields = t.oldFields.Union(s.trigger.Old)
		t.paths = append(t.paths, s.trigger.OnChange...)
	}
	slices.SortFunc(t.paths, source.Path.Compare)
	t.paths = slices.CompactFunc(t.paths, func(a, b source.Path) bool { return a.Compare(b) == 0 })
	for _, p := range t.paths {
		t.pathNames = append(t.pathNames, p.String())
	}
	if secret {
		t.hashKey, t.persistHashes = secretKey, len(secretKey) > 0
		if !t.persistHashes {
			t.hashKey = []byte(rand.Text())
		}
	}
	return t
}

// empty reports whether nothing of objects is kept.
func (t fieldTracker) empty() bool {
	return len(t.paths) == 0 && t.oldFields.Empty() && t.deriveState == nil
}

// observe returns what is kept of an object, in place of before.
func (t fieldTracker) observe(before fieldState, data map[string]any) fieldState {
	var s fieldState
	for i := range t.paths {
		s.hashes = append(s.hashes, t.hash(i, data))
	}
	if !t.oldFields.Empty() {
		s.old = encode(t.oldFields.Select(data))
	}
	if t.deriveState != nil {
		s.state = t.deriveState(before.state, data)
	}
	return s
}

// hash returns the hash of the i-th path's value, which is not 0.
func (t fieldTracker) hash(i int, data map[string]any) uint64 {
	h := hmac.New(sha256.New, t.hashKey)
	if value, ok := t.paths[i].Lookup(data); ok {
		h.Write(encode(value))
	}
	return max(binary.BigEndian.Uint64(h.Sum(nil)), 1)
}

// encode returns decoded JSON as JSON, the same for the same value.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return nil // what was decoded can be encoded
	}
	return text
}

// decodeOld returns the fields of old, nil where they are not known.
func (s fieldState) decodeOld() map[string]any {
	if s.old == nil {
		return nil
	}
	var fields map[string]any
	if err := kjson.Unmarshal(s.old, &fields); err != nil {
		return nil
	}
	return fields
}

// unchanged returns the paths that are known to be the same in both.
func (t fieldTracker) unchanged(a, b fieldState) []string {
	var same []string
	for i, name := range t.pathNames {
		if i < len(a.hashes) && a.hashes[i] != 0 && a.hashes[i] == b.hashes[i] {
			same = append(same, name)
		}
	}
	return same
}

// complete reports whether s lacks nothing.
func (t fieldTracker) complete(s fieldState) bool {
	return len(s.hashes) == len(t.paths) && !slices.Contains(s.hashes, 0) && (t.oldFields.Empty() || s.old != nil) && (t.deriveState == nil || s.state != nil)
}

// What the first byte of Entry.Seen says.
const (
	encodedHashes    = 'h'
	encodedTombstone = 'g'
	encodedState     = 'n'
)

// hashSize is what a path takes in Entry.Seen: which it is, and its hash.
const hashSize = 4 + 8

// marshal returns what is saved of s: the note, or hashes, never fields.
func (t fieldTracker) marshal(s fieldState) []byte {
	if t.deriveState != nil {
		if len(s.state) > MaxState {
			return nil
		}
		return append([]byte{encodedState}, s.state...)
	}
	if !t.persistHashes || len(t.paths) == 0 {
		return nil
	}
	out := []byte{encodedHashes}
	for i, hash := range s.hashes[:min(len(s.hashes), (store.MaxState-1)/hashSize)] {
		out = append(out, pathID(t.pathNames[i])...)
		out = binary.BigEndian.AppendUint64(out, hash)
	}
	return out
}

// unmarshal returns what of seen is about the paths of l.
func (t fieldTracker) unmarshal(seen []byte) fieldState {
	s := fieldState{hashes: make([]uint64, len(t.paths))}
	if t.deriveState != nil && len(seen) > 0 && seen[0] == encodedState {
		s.state = seen[1:]
	}
	if !t.persistHashes || len(seen) == 0 || seen[0] != encodedHashes {
		return s
	}
	for i, name := range t.pathNames {
		id := pathID(name)
		for rest := seen[1:]; len(rest) >= hashSize; rest = rest[hashSize:] {
			if string(rest[:4]) == string(id) {
				s.hashes[i] = binary.BigEndian.Uint64(rest[4:])
			}
		}
	}
	return s
}

// pathID stands for a path that was saved, however the configuration changes.
func pathID(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:4]
}

// newTombstone is the entry of an object that went at v.
func newTombstone(v version) *store.Entry {
	return &store.Entry{ResourceVersion: v.String(), State: []byte{encodedTombstone}}
}

func isTombstone(e store.Entry) bool { return len(e.State) > 0 && e.State[0] == encodedTombstone }
