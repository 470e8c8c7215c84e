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
)

// fieldTracker extracts from objects the state that the triggers of a watch compare
// later events with: hashes of the onChange fields, the fields below context.old, and
// the state of a derived source.
type fieldTracker struct {
	// paths are the onChange fields of all triggers, sorted; pathNames are their
	// strings.
	paths     []source.Path
	pathNames []string
	oldFields expr.FieldSet
	// deriveState is DerivedSource.State; nil without a derived source.
	deriveState func(before []byte, object map[string]any) []byte
	// hashKey is the HMAC key of the hashes.
	hashKey []byte
	// persistHashes is whether hashes may be saved in the store.
	persistHashes bool
}

// fieldState is the tracked state of one object.
type fieldState struct {
	// hashes has the hash of each path, 0 if it is unknown.
	hashes []uint64
	// old is the JSON of the fields below context.old, and state the state of the
	// derived source. Each is nil if it is unknown.
	old, state []byte
}

// newFieldTracker returns a tracker for all of shared. For Secrets, the hashes are
// keyed with secretKey, or with a random key and not saved if secretKey is empty.
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

// empty reports whether no state of objects is tracked.
func (t fieldTracker) empty() bool {
	return len(t.paths) == 0 && t.oldFields.Empty() && t.deriveState == nil
}

// observe returns the state of an object whose state was before.
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

// hash returns the hash of the value at the i-th path. It is never 0.
func (t fieldTracker) hash(i int, data map[string]any) uint64 {
	h := hmac.New(sha256.New, t.hashKey)
	if value, ok := t.paths[i].Lookup(data); ok {
		h.Write(encode(value))
	}
	return max(binary.BigEndian.Uint64(h.Sum(nil)), 1)
}

// encode returns the JSON of a decoded JSON value. It is deterministic.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return nil // unreachable: decoded JSON can be encoded
	}
	return text
}

// decodeOld returns the fields below context.old, nil if they are unknown.
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

// unchanged returns the paths whose hashes are known and equal in a and b.
func (t fieldTracker) unchanged(a, b fieldState) []string {
	var same []string
	for i, name := range t.pathNames {
		if i < len(a.hashes) && a.hashes[i] != 0 && a.hashes[i] == b.hashes[i] {
			same = append(same, name)
		}
	}
	return same
}

// complete reports whether all tracked state is known in s.
func (t fieldTracker) complete(s fieldState) bool {
	return len(s.hashes) == len(t.paths) && !slices.Contains(s.hashes, 0) && (t.oldFields.Empty() || s.old != nil) && (t.deriveState == nil || s.state != nil)
}

// The format of savedObject.state, by its first byte.
const (
	encodedHashes    = 'h'
	encodedTombstone = 'g'
	encodedState     = 'n'
)

// hashSize is the size of one hash in savedObject.state: the path ID and the hash.
const hashSize = 4 + 8

// marshal returns the part of s that is saved: the state of the derived source or the
// hashes, never fields. It returns nil if nothing is saved.
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
	for i, hash := range s.hashes[:min(len(s.hashes), (maxObjectState-1)/hashSize)] {
		out = append(out, pathID(t.pathNames[i])...)
		out = binary.BigEndian.AppendUint64(out, hash)
	}
	return out
}

// unmarshal returns the saved state, as far as it belongs to the paths of t.
func (t fieldTracker) unmarshal(saved []byte) fieldState {
	s := fieldState{hashes: make([]uint64, len(t.paths))}
	if t.deriveState != nil && len(saved) > 0 && saved[0] == encodedState {
		s.state = slices.Clone(saved[1:])
	}
	if !t.persistHashes || len(saved) == 0 || saved[0] != encodedHashes {
		return s
	}
	for i, name := range t.pathNames {
		id := pathID(name)
		for rest := saved[1:]; len(rest) >= hashSize; rest = rest[hashSize:] {
			if string(rest[:4]) == string(id) {
				s.hashes[i] = binary.BigEndian.Uint64(rest[4:])
			}
		}
	}
	return s
}

// pathID returns the ID of a path in saved state.
func pathID(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:4]
}

// newTombstone returns the saved state of an object that was deleted at v.
func newTombstone(v version) *savedObject {
	return &savedObject{resourceVersion: v.String(), state: []byte{encodedTombstone}}
}

func isTombstone(o savedObject) bool { return len(o.state) > 0 && o.state[0] == encodedTombstone }
