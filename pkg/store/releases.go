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
	"sync"
)

// maxConcurrentAcks is how many events are released at the same time.
const maxConcurrentAcks = 64

// ack is an event that is to leave the spool.
type ack struct{ source, id string }

// Ack takes note that an event is to leave the spool, which it does after all
// changes before are in the store, and returns at once.
func (s *Saver) Ack(source, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks = append(s.acks, ack{source, id})
	s.markDirty()
}

// writeAcks makes one attempt to release events, where they may go. Those that do
// not are pending again.
func (s *Saver) writeAcks(ctx context.Context, releases []ack, may bool) error {
	if len(releases) == 0 {
		return nil
	}
	var (
		writers sync.WaitGroup
		turns   = make(chan struct{}, maxConcurrentAcks)
		errs    = make([]error, len(releases))
	)
	for i, r := range releases {
		if !may {
			break
		}
		turns <- struct{}{}
		writers.Go(func() {
			errs[i] = s.store.Ack(ctx, r.source, r.id)
			<-turns
		})
	}
	writers.Wait()
	err := errors.Join(errs...)
	if may && err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range releases {
		if !may || errs[i] != nil {
			s.acks = append(s.acks, r)
			s.changes++
		}
	}
	if err != nil {
		return fmt.Errorf("release events: %w", err)
	}
	return nil
}
