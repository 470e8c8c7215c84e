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
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// writeTimeout limits one write.
	writeTimeout = 30 * time.Second
	// backoffInitial and backoffMax limit the wait after a write that failed.
	backoffInitial = 100 * time.Millisecond
	backoffMax     = 5 * time.Second
	// maxConcurrentAcks is the number of events acknowledged at the same time.
	maxConcurrentAcks = 64
)

// SaverOptions configure a Saver. All fields are required.
type SaverOptions struct {
	// MaxDelay is the maximum time before a change is written.
	MaxDelay time.Duration
	// BatchSize is the number of changes that are written without waiting for
	// MaxDelay.
	BatchSize int
	// GracePeriod is the maximum time for which Run continues to write after its
	// context has ended.
	GracePeriod time.Duration
	Clock       clock.Clock
	// OnError is called for each write that failed and will be retried. It must
	// not block.
	OnError func(error)
}

// Saver writes changes to a store in batches: a change is written at most MaxDelay
// or BatchSize changes later, and before Run returns. Its memory is limited by the
// number of objects: a later change of an object replaces the earlier one. It is
// safe for concurrent use.
type Saver struct {
	store   Store
	options SaverOptions

	mu      sync.Mutex
	pending map[string]Change
	acks    []ack
	// changes counts the pending changes and acks.
	changes int

	// dirty holds a token after the first change of a batch, full after the last.
	dirty, full chan struct{}
	flushes     chan chan error
}

// ack identifies an event to remove from the queue.
type ack struct{ source, id string }

// NewSaver returns a Saver. Nothing is written until Run is called.
func NewSaver(s Store, o SaverOptions) *Saver {
	return &Saver{
		store: s, options: o,
		pending: map[string]Change{},
		dirty:   make(chan struct{}, 1), full: make(chan struct{}, 1),
		flushes: make(chan chan error),
	}
}

// Save adds c, which follows all earlier changes of watch. It does not block. The
// caller must not modify what c refers to.
func (s *Saver) Save(watch string, c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[watch] = s.pending[watch].Merge(c)
	s.markDirty()
}

// Ack removes an event from the queue once all earlier changes are stored. It does
// not block.
func (s *Saver) Ack(source, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = append(s.acks, ack{source, id})
	s.markDirty()
}

func (s *Saver) markDirty() {
	s.changes++
	signal(s.dirty)
	if s.changes >= s.options.BatchSize {
		signal(s.full)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Flush makes one attempt to write all earlier changes, and returns its error. It
// blocks while Run is not running.
func (s *Saver) Flush(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case s.flushes <- reply:
	case <-ctx.Done():
		return fmt.Errorf("flush: %w", context.Cause(ctx))
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return fmt.Errorf("flush: %w", context.Cause(ctx))
	}
}

// Run writes changes until ctx ends. Then it writes the pending changes, and
// returns an error if that does not succeed within the grace period. It returns
// ErrFenced as soon as another writer has taken over the store.
func (s *Saver) Run(ctx context.Context) error {
	var (
		due      <-chan time.Time
		failures int
	)
	write := func() error {
		due = nil
		err := s.write(ctx)
		if err == nil {
			failures = 0
			return nil
		}
		failures++
		due = s.options.Clock.After(backoff(failures))
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return s.drain(context.WithoutCancel(ctx))
		case <-s.store.Lost():
			return ErrFenced
		case reply := <-s.flushes:
			err = write()
			reply <- err
		case <-s.dirty:
			if due == nil {
				due = s.options.Clock.After(s.options.MaxDelay)
			}
		case <-s.full:
			if failures == 0 {
				err = write()
			}
		case <-due:
			err = write()
		}
		if errors.Is(err, ErrFenced) {
			return err
		}
	}
}

// drain writes the pending changes. It retries until the grace period ends.
func (s *Saver) drain(ctx context.Context) error {
	expired := s.options.Clock.After(s.options.GracePeriod)
	for failures := 1; ; failures++ {
		err := s.write(ctx)
		if err == nil || errors.Is(err, ErrFenced) {
			return err
		}
		select {
		case <-expired:
			return fmt.Errorf("save on shutdown: %w", err)
		case <-s.options.Clock.After(backoff(failures)):
		}
	}
}

// write makes one attempt to write all pending changes and acks. The ones that
// fail stay pending. Acks are written only after all changes are stored.
func (s *Saver) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	s.mu.Lock()
	pending, acks := s.pending, s.acks
	s.pending, s.acks, s.changes = map[string]Change{}, nil, 0
	s.mu.Unlock()

	var errs []error
	for _, watch := range slices.Sorted(maps.Keys(pending)) {
		err := s.store.Save(ctx, watch, pending[watch])
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("save checkpoint: %w", err))
		s.mu.Lock()
		s.pending[watch] = pending[watch].Merge(s.pending[watch])
		s.changes++
		s.mu.Unlock()
	}
	failed := acks
	if len(errs) == 0 {
		var err error
		if failed, err = s.writeAcks(ctx, acks); err != nil {
			errs = append(errs, err)
		}
	}
	s.mu.Lock()
	s.acks = append(s.acks, failed...)
	s.changes += len(failed)
	s.mu.Unlock()
	err := errors.Join(errs...)
	if err != nil {
		s.options.OnError(err)
	}
	return err
}

// writeAcks makes one attempt to remove events from the queue, and returns the
// acks that failed.
func (s *Saver) writeAcks(ctx context.Context, acks []ack) (failed []ack, err error) {
	var (
		workers sync.WaitGroup
		slots   = make(chan struct{}, maxConcurrentAcks)
		errs    = make([]error, len(acks))
	)
	for i, a := range acks {
		slots <- struct{}{}
		workers.Go(func() {
			errs[i] = s.store.Ack(ctx, a.source, a.id)
			<-slots
		})
	}
	workers.Wait()
	if err = errors.Join(errs...); err == nil {
		return nil, nil
	}
	for i, a := range acks {
		if errs[i] != nil {
			failed = append(failed, a)
		}
	}
	return failed, fmt.Errorf("acknowledge events: %w", err)
}

// backoff returns the wait after the nth failure in a row, with n from 1.
func backoff(n int) time.Duration {
	return min(backoffInitial<<min(n-1, 10), backoffMax)
}
