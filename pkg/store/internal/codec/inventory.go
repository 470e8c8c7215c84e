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

package codec

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// inventoryFormat is the first byte of an encoded inventory.
const inventoryFormat = 1

// The first byte of an entry is a set of flags.
const (
	deleted = 1 << iota
	// uidIsUUID and versionIsNumber select the compact encodings of the UID, in 16
	// bytes, and the resourceVersion, as a varint. The API server's objects have
	// both.
	uidIsUUID
	versionIsNumber
	hasState
)

// EncodeInventory returns the encoding of an inventory, or of changes to one.
// Entries are sorted by key. Each key is stored without the prefix that it shares
// with the key before. The encoding ends with a checksum.
func EncodeInventory(entries map[string]*store.Entry) []byte {
	b := []byte{inventoryFormat}
	var before string
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		shared := 0
		for shared < min(len(key), len(before)) && key[shared] == before[shared] {
			shared++
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = appendBytes(b, key[shared:])
		b = AppendEntry(b, entries[key])
		before = key
	}
	return AppendChecksum(b)
}

// DecodeInventory decodes the result of EncodeInventory. Empty input is an empty
// inventory.
func DecodeInventory(b []byte) (map[string]*store.Entry, error) {
	entries := map[string]*store.Entry{}
	if len(b) == 0 {
		return entries, nil
	}
	b, err := VerifyChecksum(b)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] != inventoryFormat {
		return nil, fmt.Errorf("inventory of format %.1x: %w", b, store.ErrForeign)
	}
	r := reader{b: b[1:]}
	before, first := "", true
	for len(r.b) > 0 {
		shared, suffix := r.uvarint(), r.bytes()
		if r.failed || shared > uint64(len(before)) {
			return nil, fmt.Errorf("inventory key after %q: %w", before, store.ErrDamaged)
		}
		key := before[:shared] + string(suffix)
		if !first && key <= before {
			return nil, fmt.Errorf("inventory key %q after %q: %w", key, before, store.ErrDamaged)
		}
		e, rest, err := DecodeEntry(r.b)
		if err != nil {
			return nil, fmt.Errorf("inventory key %q: %w", key, err)
		}
		entries[key] = e
		before, first, r.b = key, false, rest
	}
	return entries, nil
}

// AppendEntry appends the encoding of e to b. If e is nil, the entry is deleted. An
// entry of an object of the API server takes about 22 bytes and its State.
func AppendEntry(b []byte, e *store.Entry) []byte {
	if e == nil {
		return append(b, deleted)
	}
	flags := len(b)
	b = append(b, 0)
	if u, err := uuid.Parse(e.UID); err == nil && u.String() == e.UID {
		b[flags] |= uidIsUUID
		b = append(b, u[:]...)
	} else {
		b = appendBytes(b, e.UID)
	}
	if n, err := strconv.ParseUint(e.ResourceVersion, 10, 64); err == nil && strconv.FormatUint(n, 10) == e.ResourceVersion {
		b[flags] |= versionIsNumber
		b = binary.AppendUvarint(b, n)
	} else {
		b = appendBytes(b, e.ResourceVersion)
	}
	if len(e.State) > 0 {
		b[flags] |= hasState
		b = appendBytes(b, e.State)
	}
	return b
}

// DecodeEntry decodes one entry, which is nil if it is deleted, and returns the rest
// of b.
func DecodeEntry(b []byte) (e *store.Entry, rest []byte, err error) {
	r := reader{b: b}
	flags := r.byte()
	switch {
	case r.failed || flags > deleted|uidIsUUID|versionIsNumber|hasState || flags&deleted != 0 && flags != deleted:
		return nil, nil, fmt.Errorf("inventory entry %.8x: %w", b, store.ErrDamaged)
	case flags == deleted:
		return nil, r.b, nil
	}
	e = &store.Entry{}
	if flags&uidIsUUID != 0 {
		var u uuid.UUID
		copy(u[:], r.next(uint64(len(u))))
		e.UID = u.String()
	} else {
		e.UID = string(r.bytes())
	}
	if flags&versionIsNumber != 0 {
		e.ResourceVersion = strconv.FormatUint(r.uvarint(), 10)
	} else {
		e.ResourceVersion = string(r.bytes())
	}
	if flags&hasState != 0 {
		e.State = append([]byte(nil), r.bytes()...)
	}
	if r.failed {
		return nil, nil, fmt.Errorf("inventory entry %.8x: %w", b, store.ErrDamaged)
	}
	return e, r.b, nil
}

// ValidateChange returns ErrRejected if c contains an entry that is too large.
func ValidateChange(c store.Change) error {
	for key, e := range c.Inventory {
		if e != nil && len(e.State) > store.MaxState {
			return fmt.Errorf("inventory entry %q: state of %d bytes, more than %d: %w", key, len(e.State), store.MaxState, store.ErrRejected)
		}
	}
	return nil
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// reader reads values from the front of b. After a failure, all values are zero.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) next(n uint64) []byte {
	if r.failed || n > uint64(len(r.b)) {
		r.failed = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if v := r.next(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.failed || n <= 0 {
		r.failed = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte { return r.next(r.uvarint()) }
