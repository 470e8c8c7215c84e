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

package file

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// macSize is the size of a record's MAC in bytes: HMAC-SHA256, truncated as RFC 4868
// truncates it.
const macSize = 16

// recordKey is the secret key of the records' MACs.
type recordKey []byte

// seal returns value with the MAC of a record, which is bound to the record's key.
func (k recordKey) seal(key, value []byte) []byte {
	sealed := make([]byte, 0, len(value)+macSize)
	return append(append(sealed, value...), k.mac(key, value)...)
}

// open returns the value of a record without its MAC. It returns ErrDamaged if seal has not
// returned sealed for this key.
func (k recordKey) open(key, sealed []byte) ([]byte, error) {
	n := len(sealed) - macSize
	if n < 0 || !hmac.Equal(sealed[n:], k.mac(key, sealed[:n])) {
		return nil, fmt.Errorf("MAC of %d bytes: %w", len(sealed), store.ErrDamaged)
	}
	return sealed[:n:n], nil
}

func (k recordKey) mac(key, value []byte) []byte {
	h := hmac.New(sha256.New, k)
	h.Write(binary.AppendUvarint(nil, uint64(len(key))))
	h.Write(key)
	h.Write(value)
	return h.Sum(nil)[:macSize]
}
