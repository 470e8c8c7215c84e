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
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// deadLetters implements store.DeadLetters.
type deadLetters struct{ *Store }

// DeadLetters implements store.Store.
func (s *Store) DeadLetters() store.DeadLetters { return deadLetters{s} }

// Put implements store.DeadLetters.
func (s deadLetters) Put(ctx context.Context, l store.DeadLetter) (id string, err error) {
	l, err = codec.PrepareDeadLetter(l, s.clock.Now())
	if err != nil {
		return "", fmt.Errorf("store %s: put dead letter: %w", s.path, err)
	}
	ev, err := codec.EncodeEvent(l.Event)
	if err != nil {
		return "", fmt.Errorf("store %s: put dead letter: %w", s.path, err)
	}
	value, err := codec.EncodeDeadLetter(l)
	if err != nil {
		return "", fmt.Errorf("store %s: put dead letter: %w", s.path, err)
	}
	err = s.batch(ctx, "put dead letter", func(t tx) error {
		if err := t.deleteDeadLetter(l.ID); err != nil {
			return err
		}
		if err := t.put(deadLetterKey(l.ID), value); err != nil {
			return err
		}
		if err := t.put(deadLetterEventKey(l.ID), ev); err != nil {
			return err
		}
		if err := t.put(ageKey(l), nil); err != nil {
			return err
		}
		return t.evictDeadLetters(s.limits.DeadLetters, s.clock.Now().Add(-s.limits.DeadLetterAge))
	})
	return l.ID, err
}

func deadLetterKey(id string) []byte { return join([]byte{deadLetterPrefix}, []byte(id)) }

func deadLetterEventKey(id string) []byte {
	return join([]byte{deadLetterEventPrefix}, []byte(id))
}

// ageKey returns a key that sorts by StoredAt.
func ageKey(l store.DeadLetter) []byte {
	return join(binary.BigEndian.AppendUint64([]byte{agePrefix}, uint64(l.StoredAt.UnixNano())), []byte(l.ID))
}

// deadLetter returns a dead letter without Data and Old of its event.
func (t tx) deadLetter(id string) (store.DeadLetter, error) {
	value, err := t.get(deadLetterKey(id))
	if err != nil {
		return store.DeadLetter{}, err
	}
	if value == nil {
		return store.DeadLetter{}, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	return codec.DecodeDeadLetter(value)
}

// deleteDeadLetter deletes all records of a dead letter, if there is one.
func (t tx) deleteDeadLetter(id string) error {
	if t.bucket.Get(deadLetterKey(id)) == nil {
		return nil
	}
	l, err := t.deadLetter(id)
	if err != nil {
		return err
	}
	for _, key := range [][]byte{deadLetterKey(id), deadLetterEventKey(id), ageKey(l)} {
		if err := t.delete(key); err != nil {
			return err
		}
	}
	return nil
}

// evictDeadLetters deletes dead letters, the oldest first, until at most limit
// remain and none was stored before oldest. It counts them as dropped.
func (t tx) evictDeadLetters(limit int, oldest time.Time) error {
	excess := t.count([]byte{agePrefix}, limit+1) - limit
	var ids []string
	for r, err := range t.scan([]byte{agePrefix}) {
		if err != nil {
			return err
		}
		storedAt, id, err := parseAgeKey(r.key)
		if err != nil {
			return err
		}
		if len(ids) >= excess && !storedAt.Before(oldest) {
			break
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		if err := t.deleteDeadLetter(id); err != nil {
			return err
		}
	}
	t.header.Dropped += uint64(len(ids))
	return nil
}

// parseAgeKey decodes the result of ageKey without its first byte.
func parseAgeKey(key []byte) (time.Time, string, error) {
	if len(key) < 8 {
		return time.Time{}, "", fmt.Errorf("age key %x: %w", key, store.ErrDamaged)
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(key))), string(key[8:]), nil
}

// List implements store.DeadLetters.
func (s deadLetters) List(ctx context.Context) (store.DeadLetterList, error) {
	var list store.DeadLetterList
	oldest := s.clock.Now().Add(-s.limits.DeadLetterAge)
	err := s.read(ctx, "list dead letters", func(t tx) error {
		var h header
		if err := t.json([]byte{headerKey}, &h); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		list.Dropped = h.Dropped
		for r, err := range t.scan([]byte{agePrefix}) {
			if err != nil {
				return err
			}
			storedAt, id, err := parseAgeKey(r.key)
			if err != nil {
				return err
			}
			if storedAt.Before(oldest) {
				list.Dropped++
				continue
			}
			l, err := t.deadLetter(id)
			if err != nil {
				return err
			}
			list.Items = append(list.Items, l)
		}
		return nil
	})
	if err != nil {
		return store.DeadLetterList{}, err
	}
	return list, nil
}

// Get implements store.DeadLetters.
func (s deadLetters) Get(ctx context.Context, id string) (store.DeadLetter, error) {
	var l store.DeadLetter
	err := s.read(ctx, "get dead letter", func(t tx) (err error) {
		if l, err = t.deadLetter(id); err != nil {
			return err
		}
		ev, err := t.get(deadLetterEventKey(id))
		if err != nil {
			return err
		}
		l.Event, err = codec.DecodeEvent(ev)
		return err
	})
	if err != nil {
		return store.DeadLetter{}, err
	}
	return l, nil
}

// Delete implements store.DeadLetters.
func (s deadLetters) Delete(ctx context.Context, id string) error {
	return s.write(ctx, "delete dead letter", func(t tx) error {
		if _, err := t.deadLetter(id); err != nil {
			return err
		}
		return t.deleteDeadLetter(id)
	})
}

// RequestReplay implements store.DeadLetters.
func (s deadLetters) RequestReplay(ctx context.Context, id string) error {
	return s.write(ctx, "request replay", func(t tx) error {
		l, err := t.deadLetter(id)
		if err != nil {
			return err
		}
		l.ReplayRequestedAt = s.clock.Now().UTC()
		value, err := codec.EncodeDeadLetter(l)
		if err != nil {
			return err
		}
		return t.put(deadLetterKey(id), value)
	})
}

// RequestReplayOf implements store.DeadLetters.
func (s deadLetters) RequestReplayOf(ctx context.Context, t event.TriggerRef, ev event.Event) error {
	return s.RequestReplay(ctx, codec.DeadLetterID(t, ev))
}

// ReplayRequested implements store.DeadLetters.
func (s deadLetters) ReplayRequested(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.read(ctx, "list requested replays", func(t tx) error {
		for r, err := range t.scan([]byte{deadLetterPrefix}) {
			if err != nil {
				return err
			}
			l, err := codec.DecodeDeadLetter(r.value)
			if err != nil {
				return err
			}
			if !l.ReplayRequestedAt.IsZero() {
				ids = append(ids, l.ID)
			}
		}
		return nil
	})
	return ids, err
}
