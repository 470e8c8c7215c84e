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

// MaxEventSize is the largest event that is stored as a whole, as JSON in bytes. It
// leaves room for the rest of an object in etcd, which takes 1.5 MiB.
const MaxEventSize = 1 << 20

// maxErrorSize is how much is kept of an error, in bytes.
const maxErrorSize = 4 << 10

// ID returns the same text for the same parts, and another for others: 32
// characters that fit into any name.
func ID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// PrepareDeadLetter returns l as it is to be stored: with its ID, without data of
// Secrets, and not too large.
func PrepareDeadLetter(l store.DeadLetter, now time.Time) (store.DeadLetter, error) {
	ev := l.Event
	l.ID = ID(l.Trigger.Namespace, l.Trigger.Name, ev.Source, ev.Cluster, ev.Key, ev.Type, ev.ID)
	l.StoredAt, l.ReplayRequestedAt = now.UTC(), time.Time{}
	if len(l.Error) > maxErrorSize {
		l.Error = l.Error[:maxErrorSize] + "…"
	}
	if IsSecret(ev) {
		l.Error = redactError(l.Error, ev)
		l.Event, l.Omitted = identityOnly(ev), store.OmittedSecret
		return l, nil
	}
	text, err := EncodeEvent(ev)
	if err != nil {
		return store.DeadLetter{}, err
	}
	if len(text) > MaxEventSize {
		l.Event, l.Omitted = identityOnly(ev), store.OmittedSize
	}
	return l, nil
}

// EncodeQueuedEvent returns the JSON of an event that is to be spooled.
func EncodeQueuedEvent(ev event.Event) ([]byte, error) {
	if IsSecret(ev) {
		return nil, fmt.Errorf("accept event %q: data of a Secret: %w", ev.ID, store.ErrRejected)
	}
	text, err := EncodeEvent(ev)
	if err != nil {
		return nil, fmt.Errorf("accept event %q: %w", ev.ID, err)
	}
	if len(text) > MaxEventSize {
		return nil, fmt.Errorf("accept event %q: %d bytes, more than %d: %w", ev.ID, len(text), MaxEventSize, store.ErrRejected)
	}
	return text, nil
}

// deadLetterJSON is a letter as a file holds it, its event without data.
type deadLetterJSON struct {
	DeadLetter store.DeadLetter `json:"letter"`
	Event      json.RawMessage  `json:"event"`
}

// EncodeDeadLetter returns the JSON of l without its event's data and old.
func EncodeDeadLetter(l store.DeadLetter) ([]byte, error) {
	head := l.Event
	head.Data, head.Old = nil, nil
	text, err := EncodeEvent(head)
	if err != nil {
		return nil, err
	}
	l.FirstAttempt, l.LastAttempt = l.FirstAttempt.UTC(), l.LastAttempt.UTC()
	return json.Marshal(deadLetterJSON{l, text})
}

// DecodeDeadLetter reads what Letter returned.
func DecodeDeadLetter(b []byte) (store.DeadLetter, error) {
	var j deadLetterJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return store.DeadLetter{}, fmt.Errorf("dead letter: %w: %w", store.ErrDamaged, err)
	}
	ev, err := DecodeEvent(j.Event)
	if err != nil {
		return store.DeadLetter{}, fmt.Errorf("dead letter %q: %w", j.DeadLetter.ID, err)
	}
	j.DeadLetter.Event = ev
	return j.DeadLetter, nil
}
