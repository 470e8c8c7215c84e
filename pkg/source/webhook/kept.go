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

// maxMemQueue is how many events of a trigger are kept without a store.
const maxMemQueue = 1000

// memQueue is a spool in memory, for one hook, which ends with the process.
type memQueue struct {
	mu     sync.Mutex
	events []event.Event
}

var (
	_ eventQueue = (*memQueue)(nil)
	_ Saver      = (*memQueue)(nil)
)

func newMemQueue() *memQueue { return &memQueue{} }

// Enqueue implements spool.
func (k *memQueue) Enqueue(_ context.Context, ev event.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.events) >= maxMemQueue {
		return fmt.Errorf("event %q after %d others: %w", ev.ID, maxMemQueue, store.ErrFull)
	}
	k.events = append(k.events, ev)
	return nil
}

// Queued implements spool.
func (k *memQueue) Queued(context.Context, string) iter.Seq2[event.Event, error] {
	k.mu.Lock()
	defer k.mu.Unlock()
	events := slices.Clone(k.events)
	return func(yield func(event.Event, error) bool) {
		for _, ev := range events {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// Save implements Saver: there is nothing to remember for.
func (*memQueue) Save(string, store.Change) {}

// Ack implements Saver.
func (k *memQueue) Ack(_, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = slices.DeleteFunc(k.events, func(ev event.Event) bool { return ev.ID == id })
}
