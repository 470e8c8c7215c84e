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

// queueBatch is how many events are read from the spool at once.
const queueBatch = 64

// Enqueue implements store.Spool.
func (s *Store) Enqueue(ctx context.Context, ev event.Event) error {
	body, err := codec.EncodeQueuedEvent(ev)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.path, err)
	}
	return s.batch(ctx, "accept", func(t tx) error {
		at := queueIndexKey(ev.Source, ev.ID)
		if t.bucket.Get(at) != nil {
			return nil
		}
		if t.header.Queued >= s.limits.Queue {
			return fmt.Errorf("event %q after %d others: %w", ev.ID, s.limits.Queue, store.ErrFull)
		}
		key := binary.BigEndian.AppendUint64(queueKeyPrefix(ev.Source), t.nextSequence())
		t.header.Queued++
		if err := t.put(at, key); err != nil {
			return err
		}
		return t.put(key, body)
	})
}

// queueIndexKey is where the key of an event in the spool is found.
func queueIndexKey(source, id string) []byte {
	return join([]byte{queueIndexPrefix}, []byte(codec.ID(source, id)))
}

func queueKeyPrefix(source string) []byte { return join([]byte{queuePrefix}, hash(source)) }

// Queued implements store.Spool.
func (s *Store) Queued(ctx context.Context, source string) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		var last, end []byte
		for more := true; more; {
			var events []event.Event
			err := s.read(ctx, "read spool", func(t tx) error {
				events, more = nil, false
				if end == nil {
					var h header
					if err := t.json([]byte{headerKey}, &h); err != nil {
						return fmt.Errorf("header: %w", err)
					}
					end = binary.BigEndian.AppendUint64(nil, h.Sequence)
				}
				for p, err := range t.scanAfter(queueKeyPrefix(source), last) {
					if err != nil {
						return err
					}
					if bytes.Compare(p.key, end) > 0 {
						return nil
					}
					if len(events) == queueBatch {
						more = true
						return nil
					}
					ev, err := codec.DecodeEvent(p.value)
					if err != nil {
						return err
					}
					events, last = append(events, ev), bytes.Clone(p.key)
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

// Ack implements store.Spool.
func (s *Store) Ack(ctx context.Context, source, id string) error {
	return s.batch(ctx, "release", func(t tx) error {
		at := queueIndexKey(source, id)
		value, err := t.get(at)
		if err != nil || value == nil {
			return err
		}
		t.header.Queued--
		key := bytes.Clone(value)
		if err := t.delete(at); err != nil {
			return err
		}
		return t.delete(key)
	})
}
