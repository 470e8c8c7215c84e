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

// inventory holds the UID, the version and the tracked field state of the objects that
// match a watch. The key is "namespace/name", or "name" of a cluster-scoped object. It
// takes about a hundred bytes per object without field state.
type inventory struct {
	entries map[string]entry
	// nonUUIDs holds the UIDs that are not UUIDs, by key. It is usually empty.
	nonUUIDs map[string]string
	// fieldStates holds the tracked field states, by key.
	fieldStates map[string]fieldState
}

// entry is the last observed identity and version of an object.
type entry struct {
	identity identity
	version  version
}

// identity is a UID in 16 bytes: the UUID, or a hash of a UID that is not a UUID.
type identity [16]byte

func newInventory() inventory {
	return inventory{entries: map[string]entry{}, nonUUIDs: map[string]string{}, fieldStates: map[string]fieldState{}}
}

// put adds or replaces the object at key.
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

// uid returns the UID of the object at key.
func (i inventory) uid(key string) string {
	if uid, ok := i.nonUUIDs[key]; ok {
		return uid
	}
	return uuid.UUID(i.entries[key].identity).String()
}

// identify returns the identity of a UID, and whether the UID is a UUID in canonical
// form.
func identify(uid string) (id identity, isUUID bool) {
	if u, ok := parseUUID(uid); ok {
		return identity(u), true
	}
	sum := sha256.Sum256([]byte(uid))
	return identity(sum[:16]), false
}

// version is a resourceVersion in eight bytes: its number or, if it is not a number,
// its hash.
type version uint64

// hashed is the bit that is set in versions that are hashes.
const hashed version = 1 << 63

func versionOf(resourceVersion string) version {
	if n, err := strconv.ParseUint(resourceVersion, 10, 63); err == nil {
		return version(n)
	}
	h := fnv.New64a()
	h.Write([]byte(resourceVersion))
	return version(h.Sum64()) | hashed
}

// before reports whether v is known to be older than other. It is false if other is a
// hash.
func (v version) before(other version) bool {
	return v < other && other&hashed == 0
}

func (v version) String() string { return strconv.FormatUint(uint64(v), 10) }
