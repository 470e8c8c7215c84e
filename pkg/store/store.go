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

// Package store is the contract of what survives a restart: how far each
// source has come, events that were accepted but not handled yet, events that
// triggers gave up, and a short history of what was done.
//
// What every Store guarantees:
//
//   - A call that returned nil has stored what it was given, even if the
//     machine loses power right after.
//   - A call that failed may still have stored it. Each may be repeated with
//     the same values; the outcome is that of one call.
//   - One writer at a time. The second is refused when it opens the store; a
//     writer that lost the store to another one gets ErrFenced from every
//     later write, and its Lost channel is closed.
//   - A store that is damaged, or not a store, is refused with ErrDamaged or
//     ErrForeign and left as it is.
//   - No data of Secrets: neither in marks and inventories, which hold no
//     objects at all, nor in dead letters.
//   - Data of events comes back as it was, but that numbers without a fraction
//     are int64 wherever they fit. Times are kept to the microsecond.
//   - All methods are safe for concurrent use.
//
// store/file keeps it in one file, store/cluster in Kubernetes objects.
package store

import (
	"context"
	"errors"
	"iter"

	"github.com/kubevela/kube-trigger/pkg/event"
)

var (
	// ErrFenced says that another writer has taken over the store. Nothing may
	// be written any more, and what was not written is the other's to do again.
	ErrFenced = errors.New("another writer has taken over the store")
	// ErrDamaged says that the store does not hold what was written to it.
	ErrDamaged = errors.New("the store is damaged")
	// ErrForeign says that something is not a store, or one of a newer format.
	ErrForeign = errors.New("not a store that this version can read")
	// ErrNotFound says that there is nothing of the given ID.
	ErrNotFound = errors.New("not found")
	// ErrFull says that the spool takes no more events until some are released.
	ErrFull = errors.New("the spool is full")
	// ErrRejected says that a value must not or cannot be stored, and that it
	// makes no sense to try again.
	ErrRejected = errors.New("refused by the store")
)

// Label is on all objects of the API server in which a store is kept, other than
// those that hold events. They are no events themselves: a trigger that woke at
// what is written because it worked would never rest.
const Label = "trigger.oam.dev/store"

// Store is all of it.
type Store interface {
	Checkpoints
	DeadLetters
	Queue
	History
	// Lost is closed when another writer has taken over the store.
	Lost() <-chan struct{}
	// Close lets the next writer in. Writes that follow fail; one that runs
	// meanwhile may.
	Close() error
}

// Checkpoints are the places where sources stopped, by the name of what they watch:
// any string that is the same after a restart, and changes where what is
// watched does.
type Checkpoints interface {
	// Load returns where watch stopped; the zero Resume where it never ran.
	Load(ctx context.Context, watch string) (Checkpoint, error)
	// Save applies c to what is stored of watch: the inventory first, then the
	// rest, or both at once. A mark is never ahead of its inventory.
	Save(ctx context.Context, watch string, c Change) error
	// Delete removes all that is stored of watch.
	Delete(ctx context.Context, watch string) error
	// Watches returns the names of all watches that something is stored of,
	// sorted.
	Watches(ctx context.Context) ([]string, error)
}

// DeadLetters are events that triggers gave up. They are bounded in number and age;
// the oldest go first, and are counted.
type DeadLetters interface {
	DeadLetterAdmin
	// PutDeadLetter stores l and returns its ID. A letter of the same trigger and event
	// takes the place of the one before, and nobody has asked for its replay.
	PutDeadLetter(ctx context.Context, l DeadLetter) (id string, err error)
	// ReplayRequested returns the IDs of the letters whose replay was asked for.
	ReplayRequested(ctx context.Context) ([]string, error)
}

// DeadLetterAdmin is what people do with letters.
type DeadLetterAdmin interface {
	// ListDeadLetters lists the letters without their events' Data and Old.
	ListDeadLetters(ctx context.Context) (DeadLetterList, error)
	// GetDeadLetter returns one letter as a whole, or ErrNotFound.
	GetDeadLetter(ctx context.Context, id string) (DeadLetter, error)
	// RequestReplay asks for a letter to be handled again, by the worker that has the
	// store open now or next. ErrNotFound says that there was none.
	RequestReplay(ctx context.Context, id string) error
	// DeleteDeadLetter removes a letter. ErrNotFound says that there was none.
	DeleteDeadLetter(ctx context.Context, id string) error
}

// Queue keeps events of sources that cannot be asked again.
type Queue interface {
	// Enqueue stores ev until it is released. An event of the same source and
	// ID that is still there stays as it is. ErrFull says that there is no room
	// now, ErrRefused that there never will be: the event is that of a Secret,
	// or too large.
	Enqueue(ctx context.Context, ev event.Event) error
	// Queued returns what was accepted from a source before the call and is
	// not released, in the order of acceptance. It may be read while events
	// are accepted and released. It ends with the first error.
	Queued(ctx context.Context, source string) iter.Seq2[event.Event, error]
	// Ack removes an event. It is no error if there is none.
	Ack(ctx context.Context, source, id string) error
}

// History is what was done lately. It is bounded in number; the oldest go
// first.
type History interface {
	// Record adds runs. They have no identity: a repeated call adds them twice.
	Record(ctx context.Context, runs ...Run) error
	// Runs returns what is kept, oldest first.
	Runs(ctx context.Context) ([]Run, error)
}
