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
// for.
package fair

import (
	"context"
	"sync"
)

// Semaphore has a number of slots. Callers wait in one queue for each key, and the
// queues take turns. It is safe for concurrent use.
type Semaphore struct {
	mu   sync.Mutex
	free int
	// queues are the waiting callers by key, and turns the keys in the order in which
	// they are served.
	queues map[string][]chan struct{}
	turns  []string
}

// NewSemaphore returns a Semaphore with the given number of slots.
func NewSemaphore(slots int) *Semaphore {
	return &Semaphore{free: slots, queues: map[string][]chan struct{}{}}
}

// Acquire waits for a slot. The caller calls release once when it no longer needs it.
// The error is the cause of ctx's end.
func (s *Semaphore) Acquire(ctx context.Context, key string) (release func(), err error) {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return s.release, nil
	}
	turn := make(chan struct{})
	if len(s.queues[key]) == 0 {
		s.turns = append(s.turns, key)
	}
	s.queues[key] = append(s.queues[key], turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return s.release, nil
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

// release gives a slot to the next key in turn, or frees it.
func (s *Semaphore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.turns) == 0 {
		s.free++
		return
	}
	key := s.turns[0]
	s.turns = s.turns[1:]
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
