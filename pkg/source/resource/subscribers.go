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

package resource

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// subscriber is a trigger of a watch, and the position where the watch starts for it.
type subscriber struct {
	trigger event.TriggerRef
	// sync is set if it subscribes to sync events.
	sync bool
	// isNew is set while the watch resumes from before the trigger's first start and
	// startsAfter is not final yet.
	isNew bool
	// startsAfter is the version up to which it gets no events; 0 if it gets all.
	startsAfter version
	// syncedTo is the key up to which its sync events are done.
	syncedTo string
	// unselected is set while it does not select the cluster of the watch.
	unselected bool
}

// maxKey sorts after the keys of all objects.
const maxKey = "\U0010ffff"

// subscribers holds the triggers of a watch. It is safe for concurrent use.
type subscribers struct {
	// save saves triggers as values of the checkpoint; nil without a store.
	save func(values map[string][]byte)

	mu   sync.Mutex
	list []*subscriber
	// stored are the names of the values that may be in the store.
	stored map[string]bool
}

// savedTrigger is the JSON of a trigger in a checkpoint.
type savedTrigger struct {
	// StartsAfter is the version up to which the trigger gets no events.
	StartsAfter string `json:"startsAfter,omitempty"`
	// SyncedTo is the key up to which the trigger's sync events are done.
	SyncedTo string `json:"syncedTo,omitempty"`
}

func newSubscribers(shared []subscription) *subscribers {
	out := &subscribers{stored: map[string]bool{}}
	for _, s := range shared {
		out.list = append(out.list, &subscriber{trigger: s.trigger.TriggerRef, sync: slices.Contains(s.events, event.Sync)})
	}
	return out
}

// load restores the triggers in the values of a checkpoint. If the watch is resumed,
// triggers that were not saved are new.
func (s *subscribers) load(values map[string][]byte, resumed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range values {
		if strings.HasPrefix(name, triggerPrefix) {
			s.stored[name] = true
		}
	}
	for _, t := range s.list {
		value, ok := values[t.valueName()]
		if !ok {
			t.isNew = resumed
			continue
		}
		var saved savedTrigger
		if err := json.Unmarshal(value, &saved); err != nil {
			continue // invalid: the trigger gets all events
		}
		t.syncedTo = saved.SyncedTo
		if saved.StartsAfter != "" && resumed {
			t.startsAfter = versionOf(saved.StartsAfter)
		}
	}
}

// valueName returns the name of the trigger's value in the checkpoint.
func (t *subscriber) valueName() string { return triggerPrefix + t.trigger.String() }

// persist saves the triggers. s.mu must be held.
func (s *subscribers) persist() {
	if s.save == nil {
		return
	}
	values := map[string][]byte{}
	for name := range s.stored {
		values[name] = nil
	}
	for _, t := range s.list {
		if t.unselected {
			continue
		}
		saved := savedTrigger{SyncedTo: t.syncedTo}
		if t.startsAfter != 0 {
			saved.StartsAfter = t.startsAfter.String()
		}
		values[t.valueName()], s.stored[t.valueName()] = encode(saved), true
	}
	s.save(values)
}

// selectTriggers sets the triggers that select the cluster of a watch that is not
// running. It reports whether triggers were added; they are new on the watch.
func (s *subscribers) selectTriggers(selected []event.TriggerRef) (added bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		ok := slices.Contains(selected, t.trigger)
		if ok && t.unselected {
			t.isNew, t.startsAfter, t.syncedTo, added = true, 0, "", true
		}
		t.unselected = !ok
	}
	return added
}

// startNewAfter excludes events up to v for new triggers whose start is not set. They
// stay new until clearNew.
func (s *subscribers) startNewAfter(v version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setStart(v, func(t *subscriber) bool { return t.startsAfter == 0 })
}

// startAllAfter excludes events up to v for all new triggers, which are then no longer
// new.
func (s *subscribers) startAllAfter(v version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setStart(v, func(*subscriber) bool { return true })
	for _, t := range s.list {
		t.isNew = false
	}
}

// setStart excludes events up to v for the new triggers that match. s.mu must be held.
func (s *subscribers) setStart(v version, matches func(*subscriber) bool) {
	if v&hashed != 0 {
		v = 0 // hashes cannot be compared
	}
	changed := false
	for _, t := range s.list {
		if t.isNew && matches(t) {
			t.startsAfter, changed = v, true
		}
	}
	if changed {
		s.persist()
	}
}

// clearNew ends the start of new triggers: the stream has delivered an event.
func (s *subscribers) clearNew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		t.isNew = false
	}
}

// committed clears the starts of triggers that the watermark v has reached.
func (s *subscribers) committed(v version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for _, t := range s.list {
		if t.startsAfter != 0 && !v.before(t.startsAfter) {
			t.startsAfter, changed = 0, true
		}
	}
	if changed {
		s.persist()
	}
}

// resetStart lets all triggers start with the next event, after an initial list.
func (s *subscribers) resetStart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		t.startsAfter, t.isNew = 0, false
	}
	s.persist()
}

// resetSync lets all triggers get sync events again, for objects that are created anew.
func (s *subscribers) resetSync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		t.syncedTo = ""
	}
	s.persist()
}

// hasPendingStart reports whether a trigger has a start that the watermark has not
// reached.
func (s *subscribers) hasPendingStart() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.list, func(t *subscriber) bool { return t.startsAfter != 0 })
}

// syncVersion returns the resourceVersion after which all triggers get all events of a
// watch that is at position.
func (s *subscribers) syncVersion(position string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := versionOf(position)
	for _, t := range s.list {
		if start.before(t.startsAfter) {
			start = t.startsAfter
		}
	}
	if start&hashed != 0 {
		return position
	}
	return start.String()
}

// forEvent returns the triggers of an event at v of the stream; nil means all.
func (s *subscribers) forEvent(v version) []event.TriggerRef {
	return s.filter(func(t *subscriber) bool { return t.startsAfter == 0 || t.startsAfter.before(v) })
}

// forListed returns the triggers of an event that was found by a list; nil means all.
// v is the version of the object, 0 if it is unknown.
func (s *subscribers) forListed(v version) []event.TriggerRef {
	return s.filter(func(t *subscriber) bool {
		return !t.isNew && (t.startsAfter == 0 || v == 0 || t.startsAfter.before(v))
	})
}

// filter returns the triggers that match and select the cluster; nil means all.
func (s *subscribers) filter(matches func(*subscriber) bool) []event.TriggerRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.list, func(t *subscriber) bool { return t.unselected || !matches(t) }) {
		return nil
	}
	out := []event.TriggerRef{}
	for _, t := range s.list {
		if !t.unselected && matches(t) {
			out = append(out, t.trigger)
		}
	}
	return out
}

// awaitingSync returns the triggers whose sync events are not all done.
func (s *subscribers) awaitingSync() []*subscriber {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*subscriber
	for _, t := range s.list {
		if t.sync && !t.unselected && t.syncedTo != maxKey {
			out = append(out, t)
		}
	}
	return out
}

// forSync returns the triggers of the sync event of the object at key; nil means all.
func (s *subscribers) forSync(key string) []event.TriggerRef {
	return s.filter(func(t *subscriber) bool { return !t.sync || t.syncedTo < key })
}

// setSyncedTo sets the key up to which the sync events of group are done.
func (s *subscribers) setSyncedTo(group []*subscriber, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for _, t := range group {
		if t.syncedTo < key {
			t.syncedTo, changed = key, true
		}
	}
	if changed {
		s.persist()
	}
}
