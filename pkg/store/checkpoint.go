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
	"fmt"
	"maps"
)

// MaxValue is the maximum size of a value in bytes. Larger ones are rejected.
const MaxValue = 64 << 10

// Checkpoint is the state from which a source resumes after a restart.
type Checkpoint struct {
	// Cursor is the position up to which, inclusively, every event is handled: the
	// resourceVersion of a watch, the last tick of a schedule. It is empty if the
	// source has never run.
	Cursor string
	// Values are what else the source needs to know, by name: the objects of a
	// watch, the ticks that are not handled. They must not contain data of Secrets.
	// A value that says that an event is handled must not be saved before it is.
	Values map[string][]byte
}

// Change is an update of a Checkpoint.
type Change struct {
	// Cursor is the new cursor; nil keeps the cursor.
	Cursor *string
	// Values are the values to set, by name. A nil value deletes; an empty one does
	// not.
	Values map[string][]byte
}

// Merge returns the change that has the effect of c followed by later. It may
// modify and return the maps of c.
func (c Change) Merge(later Change) Change {
	if later.Cursor != nil {
		c.Cursor = later.Cursor
	}
	if c.Values == nil {
		c.Values = maps.Clone(later.Values)
	} else {
		maps.Copy(c.Values, later.Values)
	}
	return c
}

// Prune deletes the checkpoints whose names are not used, together with the queued
// events of sources of these names.
func Prune(ctx context.Context, s Store, used func(name string) bool) error {
	names, err := s.Checkpoints().List(ctx)
	if err != nil {
		return fmt.Errorf("delete unused checkpoints: %w", err)
	}
	for _, name := range names {
		if used(name) {
			continue
		}
		// The events first: without its checkpoint, a name is not found again.
		if err := AckAll(ctx, s.Queue(), name); err != nil {
			return fmt.Errorf("delete queued events of unused checkpoint %q: %w", name, err)
		}
		if err := s.Checkpoints().Delete(ctx, name); err != nil {
			return fmt.Errorf("delete unused checkpoint %q: %w", name, err)
		}
	}
	return nil
}

// AckAll removes all events of source from q.
func AckAll(ctx context.Context, q Queue, source string) error {
	for ev, err := range q.Pending(ctx, source) {
		if err != nil {
			return err
		}
		if err := q.Ack(ctx, source, ev.ID); err != nil {
			return err
		}
	}
	return nil
}
