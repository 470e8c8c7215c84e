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
	"crypto/sha256"
	"hash/fnv"
	"strconv"

	"github.com/google/uuid"
)

// inventory is what a watch remembers of the objects that match: by key, which
// is "namespace/name" or "name", the UID and the version; and where triggers ask
// for more, that. It is sized for many
// thousands of objects.
type inventory struct {
	entries map[string]entry
	// nonUUIDs holds the UIDs that are not UUIDs, by key; usually none.
	nonUUIDs map[string]string
	// fieldStates holds what triggers want to know of the objects before, by key,
	// where they do.
	fieldStates map[string]fieldState
}

// entry is one object, as it was last seen.
type entry struct {
	identity identity
	version  version
}

// identity stands for a UID: the UUID that it is, or its hash. Two UIDs are
// the same if their identities are.
type identity [16]byte

func newInventory() inventory {
	return inventory{entries: map[string]entry{}, nonUUIDs: map[string]string{}, fieldStates: map[string]fieldState{}}
}

// put remembers an object in place of what stood at key.
func (i inventory) put(key, uid, resourceVersion string) {
	id, isUUID := identify(uid)
	delete(i.nonUUIDs, key)
	if !isUUID {
		i.nonUUIDs[key] = uid
	}
	i.entries[key] = entry{id, versionOf(resourceVersion)}
}

func (i inventory) remove(key string) {
	delete(i.entries, key)
	delete(i.nonUUIDs, key)
	delete(i.fieldStates, key)
}

func (i inventory) has(key string) bool {
	_, ok := i.entries[key]
	return ok
}

// setFields remembers what l keeps of the object at key.
func (i inventory) setFields(key string, s fieldState, t fieldTracker) {
	if !t.empty() {
		i.fieldStates[key] = s
	}
}

// uid returns the UID of the object at key.
func (i inventory) uid(key string) string {
	if uid, ok := i.nonUUIDs[key]; ok {
		return uid
	}
	return uuid.UUID(i.entries[key].identity).String()
}

func identify(uid string) (id identity, isUUID bool) {
	if u, err := uuid.Parse(uid); err == nil && u.String() == uid {
		return identity(u), true
	}
	sum := sha256.Sum256([]byte(uid))
	return identity(sum[:16]), false
}

// version is a resourceVersion in eight bytes: the number that it is or, for an
// API server that does not count, its hash.
type version uint64

// hashed is set in versions that are not numbers.
const hashed version = 1 << 63

func versionOf(resourceVersion string) version {
	if n, err := strconv.ParseUint(resourceVersion, 10, 63); err == nil {
		return version(n)
	}
	h := fnv.New64a()
	h.Write([]byte(resourceVersion))
	return version(h.Sum64()) | hashed
}

// before reports whether v is known to be older than other. Hashes are in no
// order.
func (v version) before(other version) bool {
	return v < other && other&hashed == 0
}

func (v version) String() string { return strconv.FormatUint(uint64(v), 10) }
