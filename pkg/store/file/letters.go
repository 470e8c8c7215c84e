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

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
)

// PutDeadLetter implements store.Letters.
func (s *Store) PutDeadLetter(ctx context.Context, l store.DeadLetter) (id string, err error) {
	l, err = codec.PrepareDeadLetter(l, s.clock.Now())
	if err != nil {
		return "", fmt.Errorf("store %s: bury: %w", s.path, err)
	}
	body, err := codec.EncodeEvent(l.Event)
	if err != nil {
		return "", fmt.Errorf("store %s: bury: %w", s.path, err)
	}
	head, err := codec.EncodeDeadLetter(l)
	if err != nil {
		return "", fmt.Errorf("store %s: bury: %w", s.path, err)
	}
	err = s.batch(ctx, "bury", func(t tx) error {
		if err := t.deleteDeadLetter(l.ID); err != nil {
			return err
		}
		if err := t.put(deadLetterKey(l.ID), head); err != nil {
			return err
		}
		if err := t.put(join([]byte{deadLetterEventPrefix}, []byte(l.ID)), body); err != nil {
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

// ageKey is a key in the order of age.
func ageKey(l store.DeadLetter) []byte {
	return join(binary.BigEndian.AppendUint64([]byte{agePrefix}, uint64(l.StoredAt.UnixNano())), []byte(l.ID))
}

// deadLetter reads the letter without its event's data and old.
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

// deleteDeadLetter removes all of a letter, if it is there.
func (t tx) deleteDeadLetter(id string) error {
	if t.bucket.Get(deadLetterKey(id)) == nil {
		return nil
	}
	l, err := t.deadLetter(id)
	if err != nil {
		return err
	}
	for _, key := range [][]byte{deadLetterKey(id), join([]byte{deadLetterEventPrefix}, []byte(id)), ageKey(l)} {
		if err := t.delete(key); err != nil {
			return err
		}
	}
	return nil
}

// evictDeadLetters removes letters, the oldest first, until at most limit are left and
// none is from before horizon, and counts them.
func (t tx) evictDeadLetters(limit int, horizon time.Time) error {
	over := t.count([]byte{agePrefix}, limit+1) - limit
	var ids []string
	for p, err := range t.scan([]byte{agePrefix}) {
		if err != nil {
			return err
		}
		at, id, err := parseAgeKey(p.key)
		if err != nil {
			return err
		}
		if len(ids) >= over && !at.Before(horizon) {
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

// parseAgeKey reads what ageAt wrote behind its first byte.
func parseAgeKey(key []byte) (time.Time, string, error) {
	if len(key) < 8 {
		return time.Time{}, "", fmt.Errorf("age %x: %w", key, store.ErrDamaged)
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(key))), string(key[8:]), nil
}

// ListDeadLetters implements store.Letters.
func (s *Store) ListDeadLetters(ctx context.Context) (store.DeadLetterList, error) {
	var b store.DeadLetterList
	horizon := s.clock.Now().Add(-s.limits.DeadLetterAge)
	err := s.read(ctx, "list dead letters", func(t tx) error {
		var h header
		if err := t.json([]byte{headerKey}, &h); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		b.Dropped = h.Dropped
		for p, err := range t.scan([]byte{agePrefix}) {
			if err != nil {
				return err
			}
			at, id, err := parseAgeKey(p.key)
			if err != nil {
				return err
			}
			if at.Before(horizon) {
				b.Dropped++
				continue
			}
			l, err := t.deadLetter(id)
			if err != nil {
				return err
			}
			b.Items = append(b.Items, l)
		}
		return nil
	})
	if err != nil {
		return store.DeadLetterList{}, err
	}
	return b, nil
}

// GetDeadLetter implements store.Letters.
func (s *Store) GetDeadLetter(ctx context.Context, id string) (store.DeadLetter, error) {
	var l store.DeadLetter
	err := s.read(ctx, "read", func(t tx) (err error) {
		if l, err = t.deadLetter(id); err != nil {
			return err
		}
		body, err := t.get(join([]byte{deadLetterEventPrefix}, []byte(id)))
		if err != nil {
			return err
		}
		l.Event, err = codec.DecodeEvent(body)
		return err
	})
	if err != nil {
		return store.DeadLetter{}, err
	}
	return l, nil
}

// DeleteDeadLetter implements store.Letters.
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	return s.write(ctx, "discard", func(t tx) error {
		if _, err := t.deadLetter(id); err != nil {
			return err
		}
		return t.deleteDeadLetter(id)
	})
}

// RequestReplay implements store.Failures.
func (s *Store) RequestReplay(ctx context.Context, id string) error {
	return s.write(ctx, "replay", func(t tx) error {
		l, err := t.deadLetter(id)
		if err != nil {
			return err
		}
		l.ReplayRequestedAt = s.clock.Now().UTC()
		head, err := codec.EncodeDeadLetter(l)
		if err != nil {
			return err
		}
		return t.put(deadLetterKey(id), head)
	})
}

// ReplayRequested implements store.Letters.
func (s *Store) ReplayRequested(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.read(ctx, "list replays", func(t tx) error {
		for p, err := range t.scan([]byte{deadLetterPrefix}) {
			if err != nil {
				return err
			}
			l, err := codec.DecodeDeadLetter(p.value)
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
