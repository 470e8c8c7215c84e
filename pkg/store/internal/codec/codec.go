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

// Package codec encodes and decodes what stores contain. Decoders accept any input,
// and return store.ErrDamaged if no encoder has written it.
package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// ID returns a hash of parts: 32 hexadecimal digits. Different parts have
// different IDs.
func ID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// AppendChecksum appends a checksum of b and context to b. The context is not
// stored.
func AppendChecksum(b []byte, context ...byte) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(b, context))
}

// VerifyChecksum returns b without its checksum, or ErrDamaged if the checksum is
// not that of b and context.
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
