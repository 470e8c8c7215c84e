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
	"encoding/json"
	"fmt"
	"time"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// MaxEventSize is the maximum size of a stored event, as JSON, in bytes. With the
// rest of its object, such an event fits into etcd's limit of 1.5 MiB.
const MaxEventSize = 1 << 20

// maxErrorSize is the maximum size of a stored error in bytes. Longer ones are cut.
const maxErrorSize = 4 << 10

// DeadLetterID returns the ID of the dead letter of a trigger and an event.
func DeadLetterID(t event.TriggerRef, ev event.Event) string {
	return ID(t.Namespace, t.Name, ev.Source, ev.Cluster, ev.Key, ev.Type, ev.ID)
}

// PrepareDeadLetter returns l as it is stored at now: with its ID and StoredAt,
// without data of Secrets, and cut to the size limits.
func PrepareDeadLetter(l store.DeadLetter, now time.Time) (store.DeadLetter, error) {
	ev := l.Event
	l.ID = DeadLetterID(l.Trigger, ev)
	l.StoredAt, l.ReplayRequestedAt = now.UTC(), time.Time{}
	if redact.Holds(ev.Data) || redact.Holds(ev.Old) {
		if redact.Reveals(l.Error, ev.Data, ev.Old) {
			l.Error = redactedError
		}
		l.Error = diag.Truncate(redact.New(ev.Data, ev.Old).Text(l.Error), maxErrorSize)
		l.Event, l.Omitted = identityOnly(ev), store.OmittedSecret
		return l, nil
	}
	l.Error = diag.Truncate(l.Error, maxErrorSize)
	text, err := EncodeEvent(ev)
	if err != nil {
		return store.DeadLetter{}, err
	}
	if len(text) > MaxEventSize {
		l.Event, l.Omitted = identityOnly(ev), store.OmittedSize
	}
	return l, nil
}

// EncodeQueuedEvent returns the JSON of an event in the queue. It returns
// ErrRejected if ev contains a Secret or is too large.
func EncodeQueuedEvent(ev event.Event) ([]byte, error) {
	if IsSecret(ev) {
		return nil, fmt.Errorf("event %q: data of a Secret: %w", ev.ID, store.ErrRejected)
	}
	text, err := EncodeEvent(ev)
	if err != nil {
		return nil, fmt.Errorf("event %q: %w", ev.ID, err)
	}
	if len(text) > MaxEventSize {
		return nil, fmt.Errorf("event %q: %d bytes, more than %d: %w", ev.ID, len(text), MaxEventSize, store.ErrRejected)
	}
	return text, nil
}

// deadLetterJSON is the stored form of a dead letter.
type deadLetterJSON struct {
	DeadLetter store.DeadLetter `json:"deadLetter"`
	Event      json.RawMessage  `json:"event"`
}

// EncodeDeadLetter returns the JSON of l without Data and Old of its event.
func EncodeDeadLetter(l store.DeadLetter) ([]byte, error) {
	ev := l.Event
	ev.Data, ev.Old = nil, nil
	text, err := EncodeEvent(ev)
	if err != nil {
		return nil, err
	}
	l.FirstAttempt, l.LastAttempt = l.FirstAttempt.UTC(), l.LastAttempt.UTC()
	return json.Marshal(deadLetterJSON{l, text})
}

// DecodeDeadLetter decodes the result of EncodeDeadLetter.
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
