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

// Package record is how what a store keeps is written as bytes. Every decoder
// takes any input and answers store.ErrDamaged to what no encoder wrote.
package codec

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// What the first byte of an entry says.
const (
	deleted = 1 << iota
	// uidIsUUID and versionIsNumber mark the short forms, which are the usual
	// ones: 16 bytes, and a varint.
	uidIsUUID
	versionIsNumber
	hasState
)

// AppendEntry appends e to b; nil stands for an entry that is deleted. An entry
// of the API server takes about 22 bytes, and Seen.
func AppendEntry(b []byte, e *store.Entry) []byte {
	if e == nil {
		return append(b, deleted)
	}
	at := len(b)
	b = append(b, 0)
	if u, err := uuid.Parse(e.UID); err == nil && u.String() == e.UID {
		b[at] |= uidIsUUID
		b = append(b, u[:]...)
	} else {
		b = appendBytes(b, e.UID)
	}
	if n, err := strconv.ParseUint(e.ResourceVersion, 10, 64); err == nil && strconv.FormatUint(n, 10) == e.ResourceVersion {
		b[at] |= versionIsNumber
		b = binary.AppendUvarint(b, n)
	} else {
		b = appendBytes(b, e.ResourceVersion)
	}
	if len(e.State) > 0 {
		b[at] |= hasState
		b = appendBytes(b, e.State)
	}
	return b
}

// DecodeEntry reads one entry, nil where it is deleted, and returns what follows it.
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

// ValidateChange refuses a change that a store cannot hold.
func ValidateChange(c store.Change) error {
	for key, e := range c.Inventory {
		if e != nil && len(e.State) > store.MaxState {
			return fmt.Errorf("inventory entry %q: %d bytes seen, more than %d: %w", key, len(e.State), store.MaxState, store.ErrRejected)
		}
	}
	return nil
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// reader takes values from the front of b, zero ones after it has failed.
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
