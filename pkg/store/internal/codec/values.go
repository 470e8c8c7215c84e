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

	"github.com/kubevela/kube-trigger/pkg/store"
)

// valuesFormat is the first byte of encoded values. Format 1 was an inventory.
const valuesFormat = 2

// EncodeValues returns the encoding of the values of a checkpoint, or of changes to
// them. Values are sorted by name. Each name is stored without the prefix that it
// shares with the name before. The encoding ends with a checksum.
func EncodeValues(values map[string][]byte) []byte {
	b := []byte{valuesFormat}
	var before string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		shared := 0
		for shared < min(len(name), len(before)) && name[shared] == before[shared] {
			shared++
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = binary.AppendUvarint(b, uint64(len(name)-shared))
		b = append(b, name[shared:]...)
		// The size of a value is stored plus 1, since 0 deletes the value.
		if v := values[name]; v == nil {
			b = append(b, 0)
		} else {
			b = binary.AppendUvarint(b, uint64(len(v))+1)
			b = append(b, v...)
		}
		before = name
	}
	return AppendChecksum(b)
}

// DecodeValues decodes the result of EncodeValues. Values are nil if they are
// deleted. They share the memory of b. Empty input has no values.
func DecodeValues(b []byte) (map[string][]byte, error) {
	values := map[string][]byte{}
	if len(b) == 0 {
		return values, nil
	}
	b, err := VerifyChecksum(b)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 || b[0] != valuesFormat {
		return nil, fmt.Errorf("values of format %.1x: %w", b, store.ErrForeign)
	}
	r := Reader{b[1:], false}
	before, first := "", true
	for len(r.Rest) > 0 {
		name, ok := r.Key(before)
		size := r.Uvarint()
		var v []byte
		if size > 0 {
			v = r.Next(size - 1)
		}
		if !ok || r.Failed || !first && name <= before {
			return nil, fmt.Errorf("value %q after %q: %w", name, before, store.ErrDamaged)
		}
		values[name] = v
		before, first = name, false
	}
	return values, nil
}

// ValidateChange returns ErrRejected if c contains a value that is too large.
func ValidateChange(c store.Change) error {
	for name, v := range c.Values {
		if len(v) > store.MaxValue {
			return fmt.Errorf("value %q: %d bytes, more than %d: %w", name, len(v), store.MaxValue, store.ErrRejected)
		}
	}
	return nil
}

// Reader reads from the front of Rest. After a failure, all results are zero.
type Reader struct {
	Rest   []byte
	Failed bool
}

// Next returns the next n bytes. They are not nil, unless reading fails.
func (r *Reader) Next(n uint64) []byte {
	if r.Failed || n > uint64(len(r.Rest)) {
		r.Failed = true
		return nil
	}
	v := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return v
}

// Uvarint returns the next number.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Rest)
	if r.Failed || n <= 0 {
		r.Failed = true
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Bytes returns the bytes whose number is stored before them.
func (r *Reader) Bytes() []byte { return r.Next(r.Uvarint()) }

// Key returns the next key, which is stored without the prefix that it shares with
// the key before.
func (r *Reader) Key(before string) (key string, ok bool) {
	shared, suffix := r.Uvarint(), r.Bytes()
	if r.Failed || shared > uint64(len(before)) {
		return "", false
	}
	return before[:shared] + string(suffix), true
}
