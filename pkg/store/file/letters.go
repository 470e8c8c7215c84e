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

// Bury implements store.Letters.
func (s *Store) Bury(ctx context.Context, l store.Letter) (id string, err error) {
	l, err = codec.Prepare(l, s.clock.Now())
	if err != nil {
		return "", fmt.Errorf("store %s: bury: %w", s.path, err)
	}
	body, err := codec.Event(l.Event)
	if err != nil {
		return "", fmt.Errorf("store %s: bury: %w", s.path, err)
	}
	head, err := codec.Letter(l)
	if err != nil {
		return "", fmt.Errorf("store %s: bury: %w", s.path, err)
	}
	err = s.share(ctx, "bury", func(t tx) error {
		if err := t.dropLetter(l.ID); err != nil {
			return err
		}
		if err := t.put(letterAt(l.ID), head); err != nil {
			return err
		}
		if err := t.put(join([]byte{bodyKey}, []byte(l.ID)), body); err != nil {
			return err
		}
		if err := t.put(ageAt(l), nil); err != nil {
			return err
		}
		return t.dropOld(s.limits.Letters, s.clock.Now().Add(-s.limits.LetterAge))
	})
	return l.ID, err
}

func letterAt(id string) []byte { return join([]byte{letterKey}, []byte(id)) }

// ageAt is a key in the order of age.
func ageAt(l store.Letter) []byte {
	return join(binary.BigEndian.AppendUint64([]byte{ageKey}, uint64(l.Buried.UnixNano())), []byte(l.ID))
}

// letter reads the letter without its event's data and old.
func (t tx) letter(id string) (store.Letter, error) {
	value, err := t.get(letterAt(id))
	if err != nil {
		return store.Letter{}, err
	}
	if value == nil {
		return store.Letter{}, fmt.Errorf("dead letter %q: %w", id, store.ErrNotFound)
	}
	return codec.OpenLetter(value)
}

// dropLetter removes all of a letter, if it is there.
func (t tx) dropLetter(id string) error {
	if t.bucket.Get(letterAt(id)) == nil {
		return nil
	}
	l, err := t.letter(id)
	if err != nil {
		return err
	}
	for _, key := range [][]byte{letterAt(id), join([]byte{bodyKey}, []byte(id)), ageAt(l)} {
		if err := t.delete(key); err != nil {
			return err
		}
	}
	return nil
}

// dropOld removes letters, the oldest first, until at most limit are left and
// none is from before horizon, and counts them.
func (t tx) dropOld(limit int, horizon time.Time) error {
	over := t.count([]byte{ageKey}, limit+1) - limit
	var ids []string
	for p, err := range t.below([]byte{ageKey}) {
		if err != nil {
			return err
		}
		at, id, err := age(p.key)
		if err != nil {
			return err
		}
		if len(ids) >= over && !at.Before(horizon) {
			break
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		if err := t.dropLetter(id); err != nil {
			return err
		}
	}
	t.header.Dropped += uint64(len(ids))
	return nil
}

// age reads what ageAt wrote behind its first byte.
func age(key []byte) (time.Time, string, error) {
	if len(key) < 8 {
		return time.Time{}, "", fmt.Errorf("age %x: %w", key, store.ErrDamaged)
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(key))), string(key[8:]), nil
}

// Buried implements store.Letters.
func (s *Store) Buried(ctx context.Context) (store.Buried, error) {
	var b store.Buried
	horizon := s.clock.Now().Add(-s.limits.LetterAge)
	err := s.read(ctx, "list dead letters", func(t tx) error {
		var h header
		if err := t.json([]byte{headerKey}, &h); err != nil {
			return fmt.Errorf("header: %w", err)
		}
		b.Dropped = h.Dropped
		for p, err := range t.below([]byte{ageKey}) {
			if err != nil {
				return err
			}
			at, id, err := age(p.key)
			if err != nil {
				return err
			}
			if at.Before(horizon) {
				b.Dropped++
				continue
			}
			l, err := t.letter(id)
			if err != nil {
				return err
			}
			b.Letters = append(b.Letters, l)
		}
		return nil
	})
	if err != nil {
		return store.Buried{}, err
	}
	return b, nil
}

// Letter implements store.Letters.
func (s *Store) Letter(ctx context.Context, id string) (store.Letter, error) {
	var l store.Letter
	err := s.read(ctx, "read", func(t tx) (err error) {
		if l, err = t.letter(id); err != nil {
			return err
		}
		body, err := t.get(join([]byte{bodyKey}, []byte(id)))
		if err != nil {
			return err
		}
		l.Event, err = codec.OpenEvent(body)
		return err
	})
	if err != nil {
		return store.Letter{}, err
	}
	return l, nil
}

// Discard implements store.Letters.
func (s *Store) Discard(ctx context.Context, id string) error {
	return s.write(ctx, "discard", func(t tx) error {
		if _, err := t.letter(id); err != nil {
			return err
		}
		return t.dropLetter(id)
	})
}

// Replay implements store.Failures.
func (s *Store) Replay(ctx context.Context, id string) error {
	return s.write(ctx, "replay", func(t tx) error {
		l, err := t.letter(id)
		if err != nil {
			return err
		}
		l.Replay = s.clock.Now().UTC()
		head, err := codec.Letter(l)
		if err != nil {
			return err
		}
		return t.put(letterAt(id), head)
	})
}

// Asked implements store.Letters.
func (s *Store) Asked(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.read(ctx, "list replays", func(t tx) error {
		for p, err := range t.below([]byte{letterKey}) {
			if err != nil {
				return err
			}
			l, err := codec.OpenLetter(p.value)
			if err != nil {
				return err
			}
			if !l.Replay.IsZero() {
				ids = append(ids, l.ID)
			}
		}
		return nil
	})
	return ids, err
}
