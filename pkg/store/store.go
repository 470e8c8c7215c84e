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

// Package store defines what survives a restart: checkpoints of sources, the
// queue of accepted events, and dead letters.
//
// Every Store guarantees:
//
//   - A write that returns nil is durable, even if the machine loses power right
//     after.
//   - A write that returns an error may have been stored. Every write can be
//     repeated with the same values; the result is that of one write.
//   - There is one writer at a time. Opening a store that another writer has open
//     fails. A writer that has lost the store to another one gets ErrFenced from
//     every later write, and its Lost channel is closed.
//   - A store that is damaged, or a file or object that is not a store, is
//     rejected with ErrDamaged or ErrForeign and is not modified.
//   - Data of Secrets is not stored: dead letters of Secrets contain the object's
//     name only, the queue rejects Secrets, and checkpoints contain what sources
//     save, which is no data of Secrets.
//   - Data of events is returned as it was stored, except that whole numbers are
//     int64 where they fit. Times have a precision of one microsecond.
//   - All methods are safe for concurrent use.
//
// Package file keeps a store in one file, package cluster in Kubernetes objects.
package store

import (
	"context"
	"errors"
	"iter"

	"github.com/kubevela/kube-trigger/pkg/event"
)

var (
	// ErrFenced reports that another writer has taken over the store. All later
	// writes fail; the new writer handles again what was not written.
	ErrFenced = errors.New("another writer has taken over the store")
	// ErrDamaged reports that stored data is not what was written.
	ErrDamaged = errors.New("the store is damaged")
	// ErrForeign reports that a file or object is not a store, or has a newer
	// format.
	ErrForeign = errors.New("not a store that this version can read")
	// ErrNotFound reports that no dead letter has the given ID.
	ErrNotFound = errors.New("not found")
	// ErrFull reports that the queue is full until an event is acknowledged.
	ErrFull = errors.New("the queue is full")
	// ErrRejected reports that a value can never be stored. A retry does not help.
	ErrRejected = errors.New("rejected by the store")
)

// Label is set on every object of the API server that a store writes. Sources
// ignore TriggerCheckpoints and Leases with this label: otherwise, saving the
// checkpoint of a trigger could start that trigger again, endlessly.
const Label = "trigger.oam.dev/store"

// Store holds all persistent state of one worker.
type Store interface {
	Checkpoints() Checkpoints
	Queue() Queue
	DeadLetters() DeadLetters
	// Lost is closed when another writer has taken over the store.
	Lost() <-chan struct{}
	// Close releases the store to the next writer. Later writes fail; concurrent
	// ones may fail.
	Close() error
}

// Checkpoints stores one Checkpoint per name. A name is any string that is the same
// after a restart and differs between different sources.
type Checkpoints interface {
	// Load returns the checkpoint of name; the zero Checkpoint if there is none. The
	// caller must not modify the values.
	Load(ctx context.Context, name string) (Checkpoint, error)
	// Save applies c to the checkpoint of name. The cursor is stored after the
	// values, or together with them, but never before. It returns ErrRejected if a
	// value exceeds MaxValue.
	Save(ctx context.Context, name string, c Change) error
	// Delete removes the checkpoint of name, if there is one.
	Delete(ctx context.Context, name string) error
	// List returns the names of all checkpoints, sorted.
	List(ctx context.Context) ([]string, error)
}

// Queue stores events of sources that cannot deliver them again, such as webhooks,
// until they are handled.
type Queue interface {
	// Enqueue stores ev until it is acknowledged. It does nothing if the queue
	// holds an event of the same source and ID. It returns ErrFull while the queue
	// is full, and ErrRejected if ev contains a Secret or is too large.
	Enqueue(ctx context.Context, ev event.Event) error
	// Pending returns the events of source that were enqueued before the call, in
	// order, without those that were acknowledged. Events can be enqueued and
	// acknowledged during the iteration. It ends after the first error.
	Pending(ctx context.Context, source string) iter.Seq2[event.Event, error]
	// Ack removes an event, if the queue holds it.
	Ack(ctx context.Context, source, id string) error
}

// DeadLetters stores dead letters. Their number and age are limited; the oldest
// are dropped first, and counted.
type DeadLetters interface {
	DeadLetterAdmin
	// Put stores l and returns its ID. It replaces the dead letter of the same
	// trigger and event, if there is one, and clears its replay request.
	Put(ctx context.Context, l DeadLetter) (id string, err error)
	// RequestReplayOf requests the replay of the dead letter of a trigger and an event, as
	// RequestReplay does.
	RequestReplayOf(ctx context.Context, t event.TriggerRef, ev event.Event) error
	// ReplayRequested returns the IDs of the dead letters with a replay request.
	ReplayRequested(ctx context.Context) ([]string, error)
}

// DeadLetterAdmin lets users inspect, replay and delete dead letters.
type DeadLetterAdmin interface {
	// List returns all dead letters, without Data and Old of their events.
	List(ctx context.Context) (DeadLetterList, error)
	// Get returns one dead letter with its complete event, or ErrNotFound.
	Get(ctx context.Context, id string) (DeadLetter, error)
	// RequestReplay requests that the worker which has the store open, now or
	// next, handles the event again. It returns ErrNotFound if there is no such
	// dead letter.
	RequestReplay(ctx context.Context, id string) error
	// Delete removes a dead letter. It returns ErrNotFound if there is none.
	Delete(ctx context.Context, id string) error
}
