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

package webhook

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// maxMemQueue limits the events of a trigger that are queued without a store.
const maxMemQueue = 1000

// memQueue is the queue of one hook without a store. It holds events in memory and
// saves no checkpoint.
type memQueue struct {
	mu     sync.Mutex
	events []event.Event
}

var (
	_ eventQueue  = (*memQueue)(nil)
	_ store.Saver = (*memQueue)(nil)
)

func newMemQueue() *memQueue { return &memQueue{} }

// Enqueue implements eventQueue.
func (q *memQueue) Enqueue(_ context.Context, ev event.Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.events) >= maxMemQueue {
		return fmt.Errorf("enqueue event %q: %d events are queued in memory: %w", ev.ID, maxMemQueue, store.ErrFull)
	}
	q.events = append(q.events, ev)
	return nil
}

// Pending implements eventQueue.
func (q *memQueue) Pending(context.Context, string) iter.Seq2[event.Event, error] {
	q.mu.Lock()
	defer q.mu.Unlock()
	events := slices.Clone(q.events)
	return func(yield func(event.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// Save implements store.Saver. It does nothing.
func (*memQueue) Save(string, store.Change) {}

// Flush implements store.Saver. It does nothing.
func (*memQueue) Flush(context.Context) error { return nil }

// Ack implements store.Saver.
func (q *memQueue) Ack(_, id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = slices.DeleteFunc(q.events, func(ev event.Event) bool { return ev.ID == id })
}
