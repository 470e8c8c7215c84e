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

// DeadLetter is an event that a trigger gave up. Its JSON is what is stored, but
// for the event.
type DeadLetter struct {
	// ID is made by the store, from the trigger and the event.
	ID      string           `json:"id"`
	Trigger event.TriggerRef `json:"trigger"`
	Event   event.Event      `json:"-"`
	// Omitted says why Event.Data is no more than the name of the object;
	// empty where it is complete. Whoever replays such a letter reads the
	// object as it is now.
	Omitted Omission `json:"omitted,omitempty"`
	// Reason says why in words of which there are few.
	Reason string `json:"reason"`
	// Error says why in detail.
	Error string `json:"error,omitempty"`
	// Attempts is how often the action was tried; 0 where the filter failed.
	Attempts int `json:"attempts"`
	// FirstAttempt and Last are when the first and the last attempt began.
	FirstAttempt time.Time `json:"first,omitzero"`
	LastAttempt  time.Time `json:"last,omitzero"`
	// StoredAt is when the store took it.
	StoredAt time.Time `json:"buried"`
	// ReplayRequestedAt is when somebody asked for it to be handled again; zero where nobody
	// did since it was buried.
	ReplayRequestedAt time.Time `json:"replay,omitzero"`
}

// Omission is why data was left out.
type Omission string

const (
	// OmittedSecret says that the event is that of a Secret.
	OmittedSecret Omission = "secret"
	// OmittedSize says that the event is larger than a letter may be.
	OmittedSize Omission = "too large"
)

// DeadLetterList lists letters.
type DeadLetterList struct {
	// Items are sorted by when they were buried, the oldest first.
	Items []DeadLetter
	// Dropped counts the letters that went because of their number or age.
	Dropped uint64
}

// Run is what one trigger did about one event. Its JSON is what is stored.
type Run struct {
	Time    time.Time        `json:"time"`
	Trigger event.TriggerRef `json:"trigger"`
	// Source, Type, Key and EventID are those of the event.
	Source   string        `json:"source"`
	Type     string        `json:"type,omitempty"`
	Key      string        `json:"key,omitempty"`
	EventID  string        `json:"event,omitempty"`
	Outcome  string        `json:"outcome"`
	Reason   string        `json:"reason,omitempty"`
	Attempts int           `json:"attempts,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
}

// Limits bound a store. A field that is 0 takes its default.
type Limits struct {
	// DeadLetters is the number of dead letters. Default: 1000.
	DeadLetters int
	// DeadLetterAge is how long dead letters are kept. Default: 7 days.
	DeadLetterAge time.Duration
	// Queue is the number of events that are accepted and not released.
	// Default: 10000.
	Queue int
	// Runs is the number of runs. Default: 1000 in a file, 200 in a cluster.
	Runs int
}

// WithDefaults returns l with its open fields taken from defaults.
func (l Limits) WithDefaults(defaults Limits) Limits {
	if l.DeadLetters == 0 {
		l.DeadLetters = defaults.DeadLetters
	}
	if l.DeadLetterAge == 0 {
		l.DeadLetterAge = defaults.DeadLetterAge
	}
	if l.Queue == 0 {
		l.Queue = defaults.Queue
	}
	if l.Runs == 0 {
		l.Runs = defaults.Runs
	}
	return l
}

// DefaultLimits are those of Limits, but for Runs.
func DefaultLimits() Limits {
	return Limits{DeadLetters: 1000, DeadLetterAge: 7 * 24 * time.Hour, Queue: 10_000}
}
