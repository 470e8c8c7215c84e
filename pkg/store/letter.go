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

// Letter is an event that a trigger gave up. Its JSON is what is stored, but
// for the event.
type Letter struct {
	// ID is made by the store, from the trigger and the event.
	ID      string        `json:"id"`
	Trigger event.Trigger `json:"trigger"`
	Event   event.Event   `json:"-"`
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
	// First and Last are when the first and the last attempt began.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Buried is when the store took it.
	Buried time.Time `json:"buried"`
	// Replay is when somebody asked for it to be handled again; zero where nobody
	// did since it was buried.
	Replay time.Time `json:"replay,omitzero"`
}

// Omission is why data was left out.
type Omission string

const (
	// OmittedSecret says that the event is that of a Secret.
	OmittedSecret Omission = "secret"
	// OmittedSize says that the event is larger than a letter may be.
	OmittedSize Omission = "too large"
)

// Buried lists letters.
type Buried struct {
	// Letters are sorted by when they were buried, the oldest first.
	Letters []Letter
	// Dropped counts the letters that went because of their number or age.
	Dropped uint64
}

// Run is what one trigger did about one event. Its JSON is what is stored.
type Run struct {
	Time    time.Time     `json:"time"`
	Trigger event.Trigger `json:"trigger"`
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
	// Letters is the number of dead letters. Default: 1000.
	Letters int
	// LetterAge is how long dead letters are kept. Default: 7 days.
	LetterAge time.Duration
	// Spool is the number of events that are accepted and not released.
	// Default: 10000.
	Spool int
	// Runs is the number of runs. Default: 1000 in a file, 200 in a cluster.
	Runs int
}

// Or returns l with its open fields taken from defaults.
func (l Limits) Or(defaults Limits) Limits {
	if l.Letters == 0 {
		l.Letters = defaults.Letters
	}
	if l.LetterAge == 0 {
		l.LetterAge = defaults.LetterAge
	}
	if l.Spool == 0 {
		l.Spool = defaults.Spool
	}
	if l.Runs == 0 {
		l.Runs = defaults.Runs
	}
	return l
}

// DefaultLimits are those of Limits, but for Runs.
func DefaultLimits() Limits {
	return Limits{Letters: 1000, LetterAge: 7 * 24 * time.Hour, Spool: 10_000}
}
