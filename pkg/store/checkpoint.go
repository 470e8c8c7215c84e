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

// MaxState is the maximum size of Entry.State in bytes. Larger ones are rejected.
const MaxState = 1024

// Checkpoint is the position at which a source resumes after a restart.
type Checkpoint struct {
	Watermark
	// Triggers are the triggers to which the watermark applies, sorted. A trigger
	// that is not listed starts now.
	Triggers []string
	// Inventory contains the known objects, by "namespace/name".
	Inventory map[string]Entry
}

// Watermark is the progress of a source.
type Watermark struct {
	// Position is the position up to which, inclusively, every event is handled:
	// the resourceVersion of a watch, the last tick of a schedule. It is empty if
	// the source has never run.
	Position string
}

// Entry is the state of one object after its last handled event. An entry must not
// be saved before that event is handled: after a crash, the event would be lost.
type Entry struct {
	UID             string
	ResourceVersion string
	// State is what the source compares to detect a change of the object: the
	// fields that triggers refer to, or their hashes. Of Secrets, it must contain
	// hashes only.
	State []byte
}

// Change is an update of a Checkpoint. Fields that are nil change nothing.
type Change struct {
	Watermark *Watermark
	// Triggers replaces all triggers.
	Triggers []string
	// Inventory contains the entries to set, by "namespace/name"; nil deletes an
	// entry.
	Inventory map[string]*Entry
}

// Merge returns a change that has the effect of c followed by later. It may reuse
// the inventory of c, and does not modify that of later.
func (c Change) Merge(later Change) Change {
	if later.Watermark != nil {
		c.Watermark = later.Watermark
	}
	if later.Triggers != nil {
		c.Triggers = later.Triggers
	}
	if c.Inventory == nil {
		c.Inventory = maps.Clone(later.Inventory)
	} else {
		maps.Copy(c.Inventory, later.Inventory)
	}
	return c
}

// WatchLister lists the watches that have a checkpoint.
type WatchLister interface {
	Watches(ctx context.Context) ([]string, error)
}

// Prune calls deleteWatch for each watch of w that unused returns true for. It stops
// at the first error.
func Prune(ctx context.Context, w WatchLister, unused func(watch string) bool, deleteWatch func(ctx context.Context, watch string) error) error {
	names, err := w.Watches(ctx)
	if err != nil {
		return fmt.Errorf("delete unused checkpoints: %w", err)
	}
	for _, name := range names {
		if !unused(name) {
			continue
		}
		if err := deleteWatch(ctx, name); err != nil {
			return fmt.Errorf("delete unused checkpoint %q: %w", name, err)
		}
	}
	return nil
}
