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
	// writeTimeout is how long one write may take.
	writeTimeout = 30 * time.Second
	// backoffInitial and backoffMax bound the wait after a write that failed.
	backoffInitial = 100 * time.Millisecond
	backoffMax     = 5 * time.Second
	// pendingRuns is how many runs wait to be written. While a store fails,
	// the oldest go.
	pendingRuns = 1000
)

// SaverOptions say how far what is stored may be behind.
type SaverOptions struct {
	// MaxDelay is the longest that a change waits while the store works.
	MaxDelay time.Duration
	// BatchSize is the number of changes that are written before Every is over.
	BatchSize int
	// GracePeriod is how long Run may go on writing after its context has ended.
	GracePeriod time.Duration
	Clock       clock.Clock
	// OnError is told of each write that failed and will be repeated. It must
	// not block.
	OnError func(error)
}

// Saver writes changes to a store in batches: each is in the store at most
// Every or Changes later, and when Run returns. Memory is bounded by the
// number of objects, since later changes of one object replace earlier ones.
type Saver struct {
	store   Store
	options SaverOptions

	mu      sync.Mutex
	pending map[string]Change
	runs    []Run
	acks    []ack
	// changes counts those that are pending.
	changes int

	// dirty and full hold a token where the first, or the last that fits into
	// a batch, was added.
	dirty, full chan struct{}
	flushes     chan chan error
}

// NewSaver returns a Saver that does nothing until it runs.
func NewSaver(s Store, o SaverOptions) *Saver {
	return &Saver{
		store: s, options: o,
		pending: map[string]Change{},
		dirty:   make(chan struct{}, 1), full: make(chan struct{}, 1),
		flushes: make(chan chan error),
	}
}

// Save takes note of c, which follows all changes of watch before, and returns
// at once. What c refers to must not change afterwards.
func (s *Saver) Save(watch string, c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[watch] = s.pending[watch].Merge(c)
	s.markDirty()
}

// Record takes note of r and returns at once.
func (s *Saver) Record(r Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, r)
	if over := len(s.runs) - pendingRuns; over > 0 {
		s.runs = slices.Delete(s.runs, 0, over)
	}
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

// Flush returns when everything before it is in the store, or with the error
// of the one attempt that it makes. It needs Run.
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

// Run writes until ctx ends, then writes what is left, and returns the error
// where that did not succeed in time. It returns ErrFenced as soon as another
// writer has taken over.
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

// drain writes what is left, again and again until it succeeds or the grace is
// over.
func (s *Saver) drain(ctx context.Context) error {
	over := s.options.Clock.After(s.options.GracePeriod)
	for failures := 1; ; failures++ {
		err := s.write(ctx)
		if err == nil || errors.Is(err, ErrFenced) {
			return err
		}
		select {
		case <-over:
			return fmt.Errorf("save on shutdown: %w", err)
		case <-s.options.Clock.After(backoff(failures)):
		}
	}
}

// write makes one attempt to write all that is pending. What fails is pending
// again.
func (s *Saver) write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	s.mu.Lock()
	pending, runs, releases := s.pending, s.runs, s.acks
	s.pending, s.runs, s.acks, s.changes = map[string]Change{}, nil, nil, 0
	s.mu.Unlock()

	var errs []error
	for _, watch := range slices.Sorted(maps.Keys(pending)) {
		err := s.store.Save(ctx, watch, pending[watch])
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("save resume point: %w", err))
		s.mu.Lock()
		s.pending[watch] = pending[watch].Merge(s.pending[watch])
		s.changes++
		s.mu.Unlock()
	}
	if err := s.writeAcks(ctx, releases, len(errs) == 0); err != nil {
		errs = append(errs, err)
	}
	if len(runs) > 0 {
		if err := s.store.Record(ctx, runs...); err != nil {
			errs = append(errs, fmt.Errorf("save history: %w", err))
			s.mu.Lock()
			s.runs = append(runs, s.runs...)
			s.runs = s.runs[max(0, len(s.runs)-pendingRuns):]
			s.changes++
			s.mu.Unlock()
		}
	}
	err := errors.Join(errs...)
	if err != nil {
		s.options.OnError(err)
	}
	return err
}

// backoff is the wait after the nth failure in a row, n from 1.
func backoff(n int) time.Duration {
	return min(backoffInitial<<min(n-1, 10), backoffMax)
}
