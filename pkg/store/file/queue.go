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

package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// queueBatch is the number of events read in one transaction.
const queueBatch = 64

// queue implements store.Queue.
type queue struct{ *Store }

// Queue implements store.Store.
func (s *Store) Queue() store.Queue { return queue{s} }

// Enqueue implements store.Queue.
func (s queue) Enqueue(ctx context.Context, ev event.Event) error {
	value, err := codec.EncodeQueuedEvent(ev)
	if err != nil {
		return fmt.Errorf("store %s: enqueue: %w", s.path, err)
	}
	return s.batch(ctx, "enqueue", func(t tx) error {
		indexKey := queueIndexKey(ev.Source, ev.ID)
		if t.bucket.Get(indexKey) != nil {
			return nil
		}
		if t.header.Queued >= s.limits.Queue {
			return fmt.Errorf("event %q after %d others: %w", ev.ID, s.limits.Queue, store.ErrFull)
		}
		key := binary.BigEndian.AppendUint64(queueKeyPrefix(ev.Source), t.nextSequence())
		t.header.Queued++
		if err := t.put(indexKey, key); err != nil {
			return err
		}
		return t.put(key, value)
	})
}

// queueIndexKey returns the key of the record that contains the event's key.
func queueIndexKey(source, id string) []byte {
	return join([]byte{queueIndexPrefix}, []byte(codec.ID(source, id)))
}

func queueKeyPrefix(source string) []byte { return join([]byte{queuePrefix}, hash(source)) }

// Pending implements store.Queue.
func (s queue) Pending(ctx context.Context, source string) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		// end is the last key that existed when the iteration began.
		var last, end []byte
		for more := true; more; {
			var events []event.Event
			err := s.read(ctx, "read queue", func(t tx) error {
				events, more = nil, false
				if end == nil {
					var h header
					if err := t.json([]byte{headerKey}, &h); err != nil {
						return fmt.Errorf("header: %w", err)
					}
					end = binary.BigEndian.AppendUint64(nil, h.Sequence)
				}
				for r, err := range t.scanAfter(queueKeyPrefix(source), last) {
					if err != nil {
						return err
					}
					if bytes.Compare(r.key, end) > 0 {
						return nil
					}
					if len(events) == queueBatch {
						more = true
						return nil
					}
					ev, err := codec.DecodeEvent(r.value)
					if err != nil {
						return err
					}
					events, last = append(events, ev), bytes.Clone(r.key)
				}
				return nil
			})
			for _, ev := range events {
				if err == nil && !yield(ev, nil) {
					return
				}
			}
			if err != nil {
				yield(event.Event{}, err)
				return
			}
		}
	}
}

// Ack implements store.Queue.
func (s queue) Ack(ctx context.Context, source, id string) error {
	return s.batch(ctx, "acknowledge", func(t tx) error {
		indexKey := queueIndexKey(source, id)
		value, err := t.get(indexKey)
		if err != nil || value == nil {
			return err
		}
		t.header.Queued--
		key := bytes.Clone(value)
		if err := t.delete(indexKey); err != nil {
			return err
		}
		return t.delete(key)
	})
}
