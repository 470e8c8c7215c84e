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

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
)

const (
	// writeTimeout limits one write.
	writeTimeout = 30 * time.Second
	// maxConcurrentAcks is the number of events acknowledged at the same time.
	maxConcurrentAcks = 64
)

// Saver writes to a store in the background. Its methods are safe for concurrent
// use; Save and Ack do not block.
type Saver interface {
	// Save adds c, which follows all earlier changes of the checkpoint of name. The
	// caller must not modify what c refers to.
	Save(name string, c Change)
	// Ack removes an event from the queue once all earlier changes are stored.
	Ack(source, id string)
	// Flush makes one attempt to write all earlier changes, and returns its error.
	Flush(ctx context.Context) error
}

// BatchSaverOptions configure a BatchSaver. All fields are required.
type BatchSaverOptions struct {
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

// BatchSaver is a Saver that writes in batches: a change is written at most MaxDelay
// or BatchSize changes later, and before Run returns. Its memory is limited by the
// number of values: a later change of a value replaces the earlier one. It is safe
// for concurrent use.
type BatchSaver struct {
	store   Store
	options BatchSaverOptions

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

// NewBatchSaver returns a BatchSaver. Nothing is written until Run is called.
func NewBatchSaver(s Store, o BatchSaverOptions) *BatchSaver {
	return &BatchSaver{
		store: s, options: o,
		pending: map[string]Change{},
		dirty:   make(chan struct{}, 1), full: make(chan struct{}, 1),
		flushes: make(chan chan error),
	}
}

var _ Saver = (*BatchSaver)(nil)

// Save implements Saver.
func (s *BatchSaver) Save(name string, c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[name] = s.pending[name].Merge(c)
	s.markDirty()
}

// Ack implements Saver.
func (s *BatchSaver) Ack(source, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = append(s.acks, ack{source, id})
	s.markDirty()
}

func (s *BatchSaver) markDirty() {
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

// Flush implements Saver. It blocks while Run is not running.
func (s *BatchSaver) Flush(ctx context.Context) error {
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
func (s *BatchSaver) Run(ctx context.Context) error {
	var (
		due     <-chan time.Time
		failing bool
		backoff wait.Backoff
	)
	write := func() error {
		due = nil
		err := s.write(ctx)
		if err == nil {
			failing = false
			return nil
		}
		if !failing {
			failing, backoff = true, newBackoff()
		}
		due = s.options.Clock.After(backoff.Step())
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
			if !failing {
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
func (s *BatchSaver) drain(ctx context.Context) error {
	expired := s.options.Clock.After(s.options.GracePeriod)
	for backoff := newBackoff(); ; {
		err := s.write(ctx)
		if err == nil || errors.Is(err, ErrFenced) {
			return err
		}
		select {
		case <-expired:
			return fmt.Errorf("save on shutdown: %w", err)
		case <-s.options.Clock.After(backoff.Step()):
		}
	}
}

// write makes one attempt to write all pending changes and acks. The ones that
// fail stay pending. Acks are written only after all changes are stored.
func (s *BatchSaver) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	s.mu.Lock()
	pending, acks := s.pending, s.acks
	s.pending, s.acks, s.changes = map[string]Change{}, nil, 0
	s.mu.Unlock()

	var errs []error
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		err := s.store.Checkpoints().Save(ctx, name, pending[name])
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("save checkpoint: %w", err))
		s.mu.Lock()
		s.pending[name] = pending[name].Merge(s.pending[name])
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
func (s *BatchSaver) writeAcks(ctx context.Context, acks []ack) (failed []ack, err error) {
	var (
		workers sync.WaitGroup
		slots   = make(chan struct{}, maxConcurrentAcks)
		errs    = make([]error, len(acks))
	)
	for i, a := range acks {
		slots <- struct{}{}
		workers.Go(func() {
			errs[i] = s.store.Queue().Ack(ctx, a.source, a.id)
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

// newBackoff returns the waits after writes that failed: 100 ms, which doubles each
// time, up to 5 s.
func newBackoff() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 7, Cap: 5 * time.Second}
}
