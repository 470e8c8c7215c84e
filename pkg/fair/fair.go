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

// Package fair limits concurrency, and orders work, so that nobody waits for all that
// another has asked for, and so that those who have used much wait for those who have not.
package fair

import (
	"context"
	"math"
	"sync"
	"time"
)

const (
	// halfLife is the time after which the use of slots counts half.
	halfLife = time.Minute
	// maxKeys is the maximum number of keys whose use is remembered.
	maxKeys = 10_000
)

// Semaphore has a number of slots. Callers wait in one queue for each key. A free slot
// goes to the key that has used slots for the shortest time lately; keys that have used
// them equally take turns. It is safe for concurrent use.
type Semaphore struct {
	mu      sync.Mutex
	free    int
	waiting *Queue[caller]
	used    map[string]use
}

// caller waits for a slot. Its turn has come when turn is closed.
type caller struct {
	key  string
	turn chan struct{}
}

// use is the time for which a key has used slots, as of a time.
type use struct {
	duration time.Duration
	at       time.Time
}

// now returns the time that still counts.
func (u use) now() time.Duration {
	return time.Duration(float64(u.duration) * math.Exp2(-float64(time.Since(u.at))/float64(halfLife)))
}

// NewSemaphore returns a Semaphore with the given number of slots.
func NewSemaphore(slots int) *Semaphore {
	s := &Semaphore{free: slots, used: map[string]use{}}
	s.waiting = NewQueue(func(c caller) string { return c.key })
	s.waiting.use = func(key string) time.Duration { return s.used[key].now() }
	return s
}

// Acquire waits for a slot. The caller calls release once when it no longer needs it.
// The error is the cause of ctx's end.
func (s *Semaphore) Acquire(ctx context.Context, key string) (release func(), err error) {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return s.releaser(key), nil
	}
	c := caller{key, make(chan struct{})}
	s.waiting.Push(c)
	s.mu.Unlock()
	select {
	case <-c.turn:
		return s.releaser(key), nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	waiting := s.waiting.remove(c)
	s.mu.Unlock()
	if !waiting {
		s.release() // the slot came at the same time
	}
	return nil, context.Cause(ctx)
}

// Waiting returns the number of waiting callers.
func (s *Semaphore) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.Len()
}

// releaser returns a function that releases the slot that key has from now on.
func (s *Semaphore) releaser(key string) func() {
	start := time.Now()
	return func() {
		s.addUse(key, time.Since(start))
		s.release()
	}
}

// addUse adds to the use of key.
func (s *Semaphore) addUse(key string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.used[key]; !known && len(s.used) >= maxKeys {
		for k := range s.used { // any one, rather than a search
			delete(s.used, k)
			break
		}
	}
	s.used[key] = use{s.used[key].now() + d, time.Now()}
}

// release gives a slot to the next caller, or frees it.
func (s *Semaphore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting.Len() == 0 {
		s.free++
		return
	}
	close(s.waiting.Pop().turn)
}
