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

package store

import (
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// DeadLetter is an event that a trigger could not handle. Its JSON is the stored
// form, except for the event.
type DeadLetter struct {
	// ID is derived by the store from the trigger and the event.
	ID      string           `json:"id"`
	Trigger event.TriggerRef `json:"trigger"`
	Event   event.Event      `json:"-"`
	// Omitted is the reason why Event.Data contains only the object's name or, with
	// OmittedUnneeded, its metadata; empty if the data is complete. A replay of such a
	// dead letter reads the object again.
	Omitted Omission `json:"omitted,omitempty"`
	// Reason is one of few values, for metrics; Error is the detail.
	Reason string `json:"reason"`
	Error  string `json:"error,omitempty"`
	// Attempts counts the attempts of the action; 0 if the filter failed.
	Attempts int `json:"attempts"`
	// FirstAttempt and LastAttempt are when the first and the last attempt began.
	FirstAttempt time.Time `json:"first,omitzero"`
	LastAttempt  time.Time `json:"last,omitzero"`
	// StoredAt is set by the store.
	StoredAt time.Time `json:"storedAt"`
	// ReplayRequestedAt is when a replay was requested; zero if none was requested
	// since StoredAt.
	ReplayRequestedAt time.Time `json:"replayRequestedAt,omitzero"`
}

// Omission is a reason why the data of an event is not stored.
type Omission string

const (
	// OmittedSecret means that the event contains a Secret.
	OmittedSecret Omission = "secret"
	// OmittedSize means that the event exceeds the size limit of dead letters.
	OmittedSize Omission = "too large"
	// OmittedUnneeded means that the event has the metadata of its object only, since its trigger
	// needed no more. A replay reads the object again only if the trigger needs more by then.
	OmittedUnneeded Omission = "not needed"
	// OmittedReference means that the event was fired by hand, by a reference to its object.
	OmittedReference Omission = "reference"
)

// DeadLetterList is the result of DeadLetterAdmin.List.
type DeadLetterList struct {
	// Items are sorted by StoredAt, the oldest first.
	Items []DeadLetter
	// Dropped counts the dead letters that exceeded the limits on number or age.
	Dropped uint64
}

// Limits are the limits of a store. The zero value of a field is its default.
type Limits struct {
	// DeadLetters is the maximum number of dead letters. Defaults to 1000.
	DeadLetters int
	// DeadLetterAge is the maximum age of dead letters. Defaults to 7 days.
	DeadLetterAge time.Duration
	// Queue is the maximum number of events in the queue. Defaults to 10000.
	Queue int
}

// WithDefaults returns l with the defaults filled in.
func (l Limits) WithDefaults() Limits {
	if l.DeadLetters == 0 {
		l.DeadLetters = 1000
	}
	if l.DeadLetterAge == 0 {
		l.DeadLetterAge = 7 * 24 * time.Hour
	}
	if l.Queue == 0 {
		l.Queue = 10_000
	}
	return l
}
