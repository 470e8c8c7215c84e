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

// lens is what the triggers of a watch want to know of the object before: which
// of some fields changed, and what stood in others.
type lens struct {
	paths []source.Path
	names []string
	old   expr.Projection
	// note is what a derivation remembers; nil where there is none.
	note func(before []byte, object map[string]any) []byte
	// key keys the hashes of fields.
	key []byte
	// stored is whether hashes may be saved.
	stored bool
}

// sight is what a lens keeps of one object: a hash of each path, 0 where that is
// not known; the fields of old as JSON, and the note, nil where they are not.
type sight struct {
	hashes    []uint64
	old, note []byte
}

// newLens returns what all of shared want to know. Hashes of Secrets are keyed
// with secretKey; where there is none, they are not saved.
func newLens(shared []subscription, secret bool, secretKey []byte) lens {
	l := lens{stored: true}
	for _, s := range shared {
		l.old = l.old.Union(s.trigger.Old)
		l.paths = append(l.paths, s.trigger.OnChange...)
	}
	slices.SortFunc(l.paths, source.Path.Compare)
	l.paths = slices.CompactFunc(l.paths, func(a, b source.Path) bool { return a.Compare(b) == 0 })
	for _, p := range l.paths {
		l.names = append(l.names, p.String())
	}
	if secret {
		l.key, l.stored = secretKey, len(secretKey) > 0
		if !l.stored {
			l.key = []byte(rand.Text())
		}
	}
	return l
}

// empty reports whether nothing of objects is kept.
func (l lens) empty() bool { return len(l.paths) == 0 && l.old.Empty() && l.note == nil }

// see returns what is kept of an object, in place of before.
func (l lens) see(before sight, data map[string]any) sight {
	var s sight
	for i := range l.paths {
		s.hashes = append(s.hashes, l.hash(i, data))
	}
	if !l.old.Empty() {
		s.old = encode(l.old.Pick(data))
	}
	if l.note != nil {
		s.note = l.note(before.note, data)
	}
	return s
}

// hash returns the hash of the i-th path's value, which is not 0.
func (l lens) hash(i int, data map[string]any) uint64 {
	h := hmac.New(sha256.New, l.key)
	if value, ok := l.paths[i].In(data); ok {
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

// before returns the fields of old, nil where they are not known.
func (s sight) before() map[string]any {
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
func (l lens) unchanged(a, b sight) []string {
	var same []string
	for i, name := range l.names {
		if i < len(a.hashes) && a.hashes[i] != 0 && a.hashes[i] == b.hashes[i] {
			same = append(same, name)
		}
	}
	return same
}

// complete reports whether s lacks nothing.
func (l lens) complete(s sight) bool {
	return len(s.hashes) == len(l.paths) && !slices.Contains(s.hashes, 0) && (l.old.Empty() || s.old != nil) && (l.note == nil || s.note != nil)
}

// What the first byte of Entry.Seen says.
const (
	seenHashes = 'h'
	seenGrave  = 'g'
	seenNote   = 'n'
)

// hashSize is what a path takes in Entry.Seen: which it is, and its hash.
const hashSize = 4 + 8

// pack returns what is saved of s: the note, or hashes, never fields.
func (l lens) pack(s sight) []byte {
	if l.note != nil {
		if len(s.note) > MaxNote {
			return nil
		}
		return append([]byte{seenNote}, s.note...)
	}
	if !l.stored || len(l.paths) == 0 {
		return nil
	}
	out := []byte{seenHashes}
	for i, hash := range s.hashes[:min(len(s.hashes), (store.MaxSeen-1)/hashSize)] {
		out = append(out, pathID(l.names[i])...)
		out = binary.BigEndian.AppendUint64(out, hash)
	}
	return out
}

// unpack returns what of seen is about the paths of l.
func (l lens) unpack(seen []byte) sight {
	s := sight{hashes: make([]uint64, len(l.paths))}
	if l.note != nil && len(seen) > 0 && seen[0] == seenNote {
		s.note = seen[1:]
	}
	if !l.stored || len(seen) == 0 || seen[0] != seenHashes {
		return s
	}
	for i, name := range l.names {
		id := pathID(name)
		for at := seen[1:]; len(at) >= hashSize; at = at[hashSize:] {
			if string(at[:4]) == string(id) {
				s.hashes[i] = binary.BigEndian.Uint64(at[4:])
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

// newGrave is the entry of an object that went at v.
func newGrave(v version) *store.Entry {
	return &store.Entry{ResourceVersion: v.String(), Seen: []byte{seenGrave}}
}

func isGrave(e store.Entry) bool { return len(e.Seen) > 0 && e.Seen[0] == seenGrave }
