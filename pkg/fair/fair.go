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

// Package fair limits concurrency so that nobody waits for all that another has asked
// for, and so that those who have used much wait for those who have not.
package fair

import (
	"context"
	"math"
	"slices"
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
	mu   sync.Mutex
	free int
	// queues are the waiting callers by key, and turns the keys in the order in which
	// they are served.
	queues map[string][]chan struct{}
	turns  []string
	used   map[string]use
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
	return &Semaphore{free: slots, queues: map[string][]chan struct{}{}, used: map[string]use{}}
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
	turn := make(chan struct{})
	if len(s.queues[key]) == 0 {
		s.turns = append(s.turns, key)
	}
	s.queues[key] = append(s.queues[key], turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return s.releaser(key), nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	if s.remove(key, turn) {
		s.mu.Unlock()
		return nil, context.Cause(ctx)
	}
	s.mu.Unlock()
	s.release() // the slot came at the same time
	return nil, context.Cause(ctx)
}

// Waiting returns the number of waiting callers.
func (s *Semaphore) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, q := range s.queues {
		n += len(q)
	}
	return n
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

// release gives a slot to the next key, or frees it.
func (s *Semaphore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.turns) == 0 {
		s.free++
		return
	}
	next := 0
	for i, key := range s.turns {
		if s.used[key].now() < s.used[s.turns[next]].now() {
			next = i
		}
	}
	key := s.turns[next]
	s.turns = slices.Delete(s.turns, next, next+1)
	queue := s.queues[key]
	close(queue[0])
	if len(queue) == 1 {
		delete(s.queues, key)
		return
	}
	s.queues[key] = queue[1:]
	s.turns = append(s.turns, key)
}

// remove removes a caller that no longer waits. It returns false if the caller has got
// a slot.
func (s *Semaphore) remove(key string, turn chan struct{}) bool {
	queue := s.queues[key]
	for i, t := range queue {
		if t != turn {
			continue
		}
		rest := append(append([]chan struct{}{}, queue[:i]...), queue[i+1:]...)
		if len(rest) > 0 {
			s.queues[key] = rest
			return true
		}
		delete(s.queues, key)
		for j, k := range s.turns {
			if k == key {
				s.turns = append(append([]string{}, s.turns[:j]...), s.turns[j+1:]...)
				break
			}
		}
		return true
	}
	return false
}
