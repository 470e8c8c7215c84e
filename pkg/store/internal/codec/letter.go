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
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// MaxEvent is the largest event that is stored as a whole, as JSON in bytes. It
// leaves room for the rest of an object in etcd, which takes 1.5 MiB.
const MaxEvent = 1 << 20

// maxText is how much is kept of an error, in bytes.
const maxText = 4 << 10

// ID returns the same text for the same parts, and another for others: 32
// characters that fit into any name.
func ID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Prepare returns l as it is to be stored: with its ID, without data of
// Secrets, and not too large.
func Prepare(l store.Letter, now time.Time) (store.Letter, error) {
	ev := l.Event
	l.ID = ID(l.Trigger.Namespace, l.Trigger.Name, ev.Source, ev.Cluster, ev.Key, ev.Type, ev.ID)
	l.Buried, l.Replay = now.UTC(), time.Time{}
	if len(l.Error) > maxText {
		l.Error = l.Error[:maxText] + "…"
	}
	if IsSecret(ev) {
		l.Error = withoutSecret(l.Error, ev)
		l.Event, l.Omitted = named(ev), store.OmittedSecret
		return l, nil
	}
	text, err := Event(ev)
	if err != nil {
		return store.Letter{}, err
	}
	if len(text) > MaxEvent {
		l.Event, l.Omitted = named(ev), store.OmittedSize
	}
	return l, nil
}

// Acceptable returns the JSON of an event that is to be spooled.
func Acceptable(ev event.Event) ([]byte, error) {
	if IsSecret(ev) {
		return nil, fmt.Errorf("accept event %q: data of a Secret: %w", ev.ID, store.ErrRefused)
	}
	text, err := Event(ev)
	if err != nil {
		return nil, fmt.Errorf("accept event %q: %w", ev.ID, err)
	}
	if len(text) > MaxEvent {
		return nil, fmt.Errorf("accept event %q: %d bytes, more than %d: %w", ev.ID, len(text), MaxEvent, store.ErrRefused)
	}
	return text, nil
}

// letterJSON is a letter as a file holds it, its event without data.
type letterJSON struct {
	Letter store.Letter    `json:"letter"`
	Event  json.RawMessage `json:"event"`
}

// Letter returns the JSON of l without its event's data and old.
func Letter(l store.Letter) ([]byte, error) {
	head := l.Event
	head.Data, head.Old = nil, nil
	text, err := Event(head)
	if err != nil {
		return nil, err
	}
	l.First, l.Last = l.First.UTC(), l.Last.UTC()
	return json.Marshal(letterJSON{l, text})
}

// OpenLetter reads what Letter returned.
func OpenLetter(b []byte) (store.Letter, error) {
	var j letterJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return store.Letter{}, fmt.Errorf("dead letter: %w: %w", store.ErrDamaged, err)
	}
	ev, err := OpenEvent(j.Event)
	if err != nil {
		return store.Letter{}, fmt.Errorf("dead letter %q: %w", j.Letter.ID, err)
	}
	j.Letter.Event = ev
	return j.Letter, nil
}
