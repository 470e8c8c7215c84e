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
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// maxObjectState is the maximum size of the state of a saved object, in bytes.
const maxObjectState = 1024

// The names of the values of a checkpoint: a prefix, and the key of an object or the
// trigger.
const (
	objectPrefix  = "object/"
	triggerPrefix = "trigger/"
)

// savedObject is an object in a checkpoint, in the state after its last event that is
// done.
type savedObject struct {
	uid, resourceVersion string
	// state is the result of fieldTracker.marshal.
	state []byte
}

// The first byte of an encoded object is a set of flags. They select the compact
// encodings of the UID, in 16 bytes, and the resourceVersion, as a varint. The API
// server's objects have both. An encoded object takes about 22 bytes and its state.
const (
	uidIsUUID = 1 << (iota + 1)
	versionIsNumber
	hasState
)

func (o savedObject) encode() []byte {
	b := make([]byte, 1, 1+len(uuid.UUID{})+2*binary.MaxVarintLen32+len(o.state))
	if u, ok := parseUUID(o.uid); ok {
		b[0] |= uidIsUUID
		b = append(b, u[:]...)
	} else {
		b = appendBytes(b, o.uid)
	}
	if n, err := strconv.ParseUint(o.resourceVersion, 10, 64); err == nil && strconv.FormatUint(n, 10) == o.resourceVersion {
		b[0] |= versionIsNumber
		b = binary.AppendUvarint(b, n)
	} else {
		b = appendBytes(b, o.resourceVersion)
	}
	if len(o.state) > 0 {
		b[0] |= hasState
		b = appendBytes(b, o.state)
	}
	return b
}

// parseUUID returns the UUID if uid is one in canonical form.
func parseUUID(uid string) (uuid.UUID, bool) {
	u, err := uuid.Parse(uid)
	return u, err == nil && len(uid) == len("00000000-0000-0000-0000-000000000000") && strings.ToLower(uid) == uid
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// decodeObject is the inverse of encode. The state shares the memory of b.
func decodeObject(b []byte) (savedObject, error) {
	var (
		o      savedObject
		rest   = b
		failed bool
	)
	next := func(n uint64) []byte {
		if failed = failed || n > uint64(len(rest)); failed {
			return nil
		}
		v := rest[:n]
		rest = rest[n:]
		return v
	}
	number := func() uint64 {
		n, size := binary.Uvarint(rest)
		if failed = failed || size <= 0; failed {
			return 0
		}
		rest = rest[size:]
		return n
	}
	var flags byte
	if first := next(1); first != nil {
		flags = first[0]
	}
	if flags&uidIsUUID != 0 {
		var u uuid.UUID
		copy(u[:], next(uint64(len(u))))
		o.uid = u.String()
	} else {
		o.uid = string(next(number()))
	}
	if flags&versionIsNumber != 0 {
		o.resourceVersion = strconv.FormatUint(number(), 10)
	} else {
		o.resourceVersion = string(next(number()))
	}
	if flags&hasState != 0 {
		o.state = next(number())
	}
	if failed || len(rest) > 0 || flags&^(uidIsUUID|versionIsNumber|hasState) != 0 {
		return savedObject{}, fmt.Errorf("object %.8x: %w", b, store.ErrDamaged)
	}
	return o, nil
}
