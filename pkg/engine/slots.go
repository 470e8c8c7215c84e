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
	"errors"
	"sync"
)

// errStopped is the error of Deliver once the engine stops.
var errStopped = errors.New("the engine is stopping")

// maxOverflow is the maximum number of rejected events of a quarantined trigger
// whose dead letters are stored concurrently.
const maxOverflow = 64

// slots limits the events in progress of one trigger. It is safe for concurrent use.
type slots struct {
	// used holds one element for each event in progress.
	used chan struct{}
	// overflow holds one element for each rejected event whose dead letter is
	// being stored.
	overflow chan struct{}

	mu sync.Mutex
	// rejecting is closed while events that do not fit are rejected.
	rejecting chan struct{}
}

func newSlots(n int) *slots {
	return &slots{used: make(chan struct{}, n), overflow: make(chan struct{}, maxOverflow), rejecting: make(chan struct{})}
}

// acquire takes a slot for one event, and waits for it while all are used. While
// events are rejected, it takes an overflow slot instead and returns true.
func (s *slots) acquire(ctx context.Context, stop <-chan struct{}) (rejected bool, err error) {
	select {
	case s.used <- struct{}{}:
		return false, nil
	default:
	}
	s.mu.Lock()
	rejecting := s.rejecting
	s.mu.Unlock()
	select {
	case s.used <- struct{}{}:
		return false, nil
	case <-rejecting:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-stop:
		return false, errStopped
	}
	select {
	case s.overflow <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-stop:
		return false, errStopped
	}
}

// halfFull reports whether at least half of the slots are used.
func (s *slots) halfFull() bool { return 2*len(s.used) >= cap(s.used) }

// release frees the slot of an event.
func (s *slots) release(rejected bool) {
	if rejected {
		<-s.overflow
	} else {
		<-s.used
	}
}

// setRejecting starts or ends the rejection of events that do not fit.
func (s *slots) setRejecting(rejecting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rejecting {
		close(s.rejecting)
	} else {
		s.rejecting = make(chan struct{})
	}
}
