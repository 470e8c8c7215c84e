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

import "maps"

// MaxState is the longest Seen of an Entry, in bytes. Longer ones are refused.
const MaxState = 1024

// Checkpoint is where a source stopped.
type Checkpoint struct {
	Watermark
	// Triggers are those that the mark speaks for, sorted. One that is not
	// among them starts now.
	Triggers []string
	// Inventory holds the objects that were there, by "namespace/name".
	Inventory map[string]Entry
}

// Watermark is how far a source has come.
type Watermark struct {
	// Position is the one at or below which everything is done: of a watch its
	// resourceVersion, of a schedule its last tick. It is empty where the
	// source never ran.
	Position string
}

// Entry is one object as its last event that is done left it. Whoever saves an
// entry before its event is done may lose the event: after a crash the object
// looks as if it were handled.
type Entry struct {
	UID             string
	ResourceVersion string
	// State is what the source needs to tell whether the object changes: the
	// fields that triggers refer to, or their hash. Of Secrets it must be
	// hashes only.
	State []byte
}

// Change is a step from one Resume to the next. Fields that are nil leave what
// is stored as it is.
type Change struct {
	Watermark *Watermark
	// Triggers replace those stored.
	Triggers []string
	// Inventory holds the entries to put, by "namespace/name"; nil ones are
	// deleted.
	Inventory map[string]*Entry
}

// Merge returns the change that has the effect of c and then later. It may
// reuse the inventory of c, and leaves that of later alone.
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
