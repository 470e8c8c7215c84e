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
	"hash/crc32"
	"maps"
	"slices"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// inventoryFormat is the first byte of a block.
const inventoryFormat = 1

// EncodeInventory returns the bytes of an inventory, or of changes to one: in the order
// of the keys, each without what it shares with the key before. It ends in a
// checksum.
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

// DecodeInventory reads what Block returned. No bytes are an empty inventory.
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

// AppendChecksum appends a checksum of b and context to b. The context is not stored.
func AppendChecksum(b []byte, context ...byte) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(b, context))
}

// VerifyChecksum returns what was sealed in the same context.
func VerifyChecksum(b []byte, context ...byte) ([]byte, error) {
	n := len(b) - crc32.Size
	if n < 0 || binary.BigEndian.Uint32(b[n:]) != checksum(b[:n], context) {
		return nil, fmt.Errorf("checksum of %d bytes: %w", len(b), store.ErrDamaged)
	}
	return b[:n], nil
}

func checksum(b, context []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(context, table), table, b)
}
