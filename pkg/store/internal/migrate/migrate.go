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

// Package migrate knows format 1 of stores, and converts what they contain to the
// present format. In format 1, checkpoints had a watermark, triggers and an inventory
// of objects, in which each source kept what it had to.
package migrate

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// Format is the format that this package converts.
const Format = 1

// Header has the fields of a file's header that the present format names otherwise.
type Header struct {
	Queued   int    `json:"spooled"`
	Sequence uint64 `json:"next"`
}

// Checkpoint is a checkpoint.
type Checkpoint struct {
	Name     string   `json:"watch"`
	Position string   `json:"position"`
	Triggers []string `json:"triggers"`
	// Inventory contains encoded entries.
	Inventory map[string][]byte `json:"-"`
}

// Convert returns the change that creates the checkpoint. It returns ErrForeign if no
// known source has written it.
func (c Checkpoint) Convert() (store.Change, error) {
	change := store.Change{Cursor: &c.Position, Values: map[string][]byte{}}
	_, watch, _ := strings.Cut(c.Name, " ")
	var err error
	switch {
	case strings.HasPrefix(c.Name, "cronjob:"):
		for tick := range c.Inventory {
			change.Values[tick] = []byte{}
		}
	case strings.HasPrefix(c.Name, "webhook:"):
		err = c.convertDeliveries(change.Values)
	case strings.HasPrefix(c.Name, "velaql:"):
		err = c.convertResult(change.Values)
	case strings.HasPrefix(watch, "resource-watcher:"):
		// The encoding of entries is still that of objects.
		for key, e := range c.Inventory {
			change.Values["object/"+key] = e
		}
		for _, text := range c.Triggers {
			name, value := convertTrigger(text)
			change.Values["trigger/"+name] = value
		}
	default:
		err = store.ErrForeign
	}
	if err != nil {
		return store.Change{}, fmt.Errorf("checkpoint %q of format %d: %w", c.Name, Format, err)
	}
	return change, nil
}

// convertDeliveries converts entries whose version is the time of completion.
func (c Checkpoint) convertDeliveries(values map[string][]byte) error {
	for key, b := range c.Inventory {
		e, err := decodeEntry(b)
		if err != nil {
			return fmt.Errorf("entry %q: %w", key, err)
		}
		if seconds, err := strconv.ParseInt(e.version, 10, 64); err == nil {
			values[key] = binary.AppendVarint(nil, seconds)
		}
	}
	return nil
}

// convertResult joins the pieces of a result, which are the states of entries.
func (c Checkpoint) convertResult(values map[string][]byte) error {
	var text []byte
	for _, key := range slices.Sorted(maps.Keys(c.Inventory)) {
		e, err := decodeEntry(c.Inventory[key])
		if err != nil {
			return fmt.Errorf("entry %q: %w", key, err)
		}
		text = append(text, e.state...)
	}
	// The pieces of a save that was interrupted may exceed the limit.
	if len(text) > 0 && len(text) <= store.MaxValue {
		values["result"] = text
	}
	return nil
}

// convertTrigger converts "namespace/name?announced=KEY&since=VERSION".
func convertTrigger(text string) (name string, value []byte) {
	name, query, _ := strings.Cut(text, "?")
	fields, err := url.ParseQuery(query)
	if err != nil {
		fields = nil
	}
	syncedTo := fields.Get("announced")
	if syncedTo == "\xff" { // all objects
		syncedTo = "\U0010ffff"
	}
	value, _ = json.Marshal(struct { // strings can be encoded
		StartsAfter string `json:"startsAfter,omitempty"`
		SyncedTo    string `json:"syncedTo,omitempty"`
	}{fields.Get("since"), syncedTo})
	return name, value
}

// The first byte of an entry is a set of flags.
const (
	deleted = 1 << iota
	uidIsUUID
	versionIsNumber
	hasState
)

// entry is an entry of an inventory.
type entry struct {
	version string
	state   []byte
}

// decodeEntry decodes an entry. Its UID is of no use here.
func decodeEntry(b []byte) (entry, error) {
	r := codec.Reader{Rest: b}
	var flags byte
	if b := r.Next(1); b != nil {
		flags = b[0]
	}
	if flags > deleted|uidIsUUID|versionIsNumber|hasState || flags&deleted != 0 {
		r.Failed = true
	}
	if flags&uidIsUUID != 0 {
		r.Next(16)
	} else {
		r.Bytes()
	}
	var e entry
	if flags&versionIsNumber != 0 {
		e.version = strconv.FormatUint(r.Uvarint(), 10)
	} else {
		e.version = string(r.Bytes())
	}
	if flags&hasState != 0 {
		e.state = r.Bytes()
	}
	if r.Failed || len(r.Rest) > 0 {
		return entry{}, fmt.Errorf("%.8x: %w", b, store.ErrDamaged)
	}
	return e, nil
}

// DeadLetter converts the record of a dead letter in a file.
func DeadLetter(b []byte) ([]byte, error) {
	var j struct {
		Letter struct {
			store.DeadLetter
			Buried time.Time `json:"buried"`
			Replay time.Time `json:"replay"`
		} `json:"letter"`
		Event json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("dead letter: %w: %w", store.ErrDamaged, err)
	}
	l := j.Letter.DeadLetter
	ev, err := codec.DecodeEvent(j.Event)
	if err != nil {
		return nil, fmt.Errorf("dead letter %q: %w", l.ID, err)
	}
	l.Event, l.StoredAt, l.ReplayRequestedAt = ev, j.Letter.Buried, j.Letter.Replay
	return codec.EncodeDeadLetter(l)
}
