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

package engine

import (
	"context"
	"sync"
	"sync/atomic"
)

// DefaultQueueBytes is the memory for the data of events in progress, if neither the
// options nor a memory limit set it.
const DefaultQueueBytes = 64 << 20

// budget shares a number of bytes between triggers. One half is reserved, in equal
// parts. Of the other half, each trigger may take as much as remains free, so that a
// trigger never takes all of it, whatever it leaves waiting. It is safe for concurrent
// use.
type budget struct {
	// reserved is the part of each trigger, and shared is the common half.
	reserved, shared int64
	// used is the number of bytes of shared that triggers hold.
	used atomic.Int64
	// waiting counts the calls of wait.
	waiting atomic.Int32

	mu sync.Mutex
	// freed is closed when bytes are released while calls wait.
	freed chan struct{}
}

func newBudget(bytes int64, triggers int) *budget {
	half := bytes / 2
	return &budget{reserved: half / int64(max(triggers, 1)), shared: half, freed: make(chan struct{})}
}

// wait calls try until it returns true: now, and whenever bytes were released. It
// returns ctx's error, or errStopped if stop is closed first.
func (b *budget) wait(ctx context.Context, stop <-chan struct{}, try func() bool) error {
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for {
		b.mu.Lock()
		freed := b.freed
		b.mu.Unlock()
		if try() {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		case <-stop:
			return errStopped
		}
	}
}

// wake has all calls of wait try again.
func (b *budget) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.freed)
	b.freed = make(chan struct{})
}

// share is what one trigger holds of a budget. It is safe for concurrent use.
type share struct {
	*budget
	// held is the number of bytes that the trigger holds.
	held atomic.Int64
	// exceeding is true while one event that is handled exceeds the trigger's limit.
	exceeding atomic.Bool
	// unloaded counts the events in progress whose data was dropped; blocked counts
	// the deliveries that had to wait for the budget.
	unloaded, blocked atomic.Int64
}

// purpose is what bytes are held for.
type purpose int64

const (
	// handling an event may take all that the trigger may take.
	handling purpose = 1
	// queueing an event leaves half of that for events that are handled.
	queueing purpose = 2
)

// hold takes size bytes. It returns false, and takes none, if the trigger may not take
// that much.
func (s *share) hold(size int64, p purpose) bool {
	for held := s.held.Load(); (held+size)*int64(p) <= s.reserved; held = s.held.Load() {
		if s.held.CompareAndSwap(held, held+size) {
			return true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held.Load()
	if (held+size)*int64(p) > s.reserved+s.shared-s.used.Load()-s.extra(held+size)+s.extra(held) {
		return false
	}
	s.take(size)
	return true
}

// crowded reports whether the trigger holds more than events that wait may take.
func (s *share) crowded() bool {
	held := s.held.Load() * int64(queueing)
	return held > s.reserved && held > s.reserved+s.shared-s.used.Load()
}

// take takes size bytes without regard to the limit.
func (s *share) take(size int64) {
	held := s.held.Add(size)
	if extra := s.extra(held) - s.extra(held-size); extra > 0 {
		s.used.Add(extra)
	}
}

// release returns size bytes.
func (s *share) release(size int64) {
	if size == 0 {
		return
	}
	held := s.held.Add(-size)
	if extra := s.extra(held+size) - s.extra(held); extra > 0 {
		s.used.Add(-extra)
	}
	if s.waiting.Load() > 0 {
		s.wake()
	}
}

// extra returns the part of held that exceeds what is reserved.
func (s *share) extra(held int64) int64 { return max(held-s.reserved, 0) }

// tryQueue takes size bytes for an event that waits, or returns false. It succeeds if
// the trigger holds none.
func (s *share) tryQueue(size int64) bool {
	if s.hold(size, queueing) {
		return true
	}
	if s.held.Load() > 0 {
		return false
	}
	s.take(size)
	return true
}

// queue takes size bytes for an event that waits, once tryQueue succeeds. It returns the
// errors of wait.
func (s *share) queue(ctx context.Context, stop <-chan struct{}, size int64) error {
	if s.tryQueue(size) {
		return nil
	}
	s.blocked.Add(1)
	return s.wait(ctx, stop, func() bool { return s.tryQueue(size) })
}

// handle takes size bytes for an event that is handled, once it may. One event of the
// trigger at a time may exceed the limit, so that it is never stuck; exceeding is then
// true. It returns the errors of wait.
func (s *share) handle(ctx context.Context, stop <-chan struct{}, size int64) (exceeding bool, err error) {
	err = s.wait(ctx, stop, func() bool {
		if s.hold(size, handling) {
			return true
		}
		if exceeding = s.exceeding.CompareAndSwap(false, true); exceeding {
			s.take(size)
		}
		return exceeding
	})
	return exceeding, err
}

// endExceeding lets another event exceed the limit.
func (s *share) endExceeding() {
	s.exceeding.Store(false)
	if s.waiting.Load() > 0 {
		s.wake()
	}
}
