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
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// subscriber is a trigger of a watch, and where for it the watch begins.
type subscriber struct {
	trigger event.TriggerRef
	// sync is set where it asks for the objects that exist when it starts.
	sync bool
	// isNew is set while the watch goes on from before the trigger was there,
	// and it is not settled from where on events are for it.
	isNew bool
	// startsAfter is the version up to which events are not for it; 0 where all are.
	startsAfter version
	// syncedTo is the key up to which it was told of the objects that exist.
	syncedTo string
	// unselected is set while it does not select the cluster of the watch.
	unselected bool
}

// maxKey is behind the keys of all objects.
const maxKey = "\xff"

// subscribers are the triggers of a watch. It is safe for concurrent use.
type subscribers struct {
	// save is told of changes; nil where nothing is saved.
	save func(triggers []string)

	mu   sync.Mutex
	list []*subscriber
}

func newSubscribers(shared []subscription) *subscribers {
	out := &subscribers{}
	for _, s := range shared {
		out.list = append(out.list, &subscriber{trigger: s.trigger.TriggerRef, sync: slices.Contains(s.events, event.Sync)})
	}
	return out
}

// load takes over what was saved. Triggers that were not are new on a watch that
// goes on.
func (s *subscribers) load(saved []string, resumed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]string{}
	for _, text := range saved {
		name, more, _ := strings.Cut(text, "?")
		known[name] = more
	}
	for _, t := range s.list {
		more, ok := known[t.trigger.String()]
		if !ok {
			t.isNew = resumed
			continue
		}
		fields, err := url.ParseQuery(more)
		if err != nil {
			continue // written by no version of this program: all is for it
		}
		t.syncedTo = fields.Get("announced")
		if since := fields.Get("since"); since != "" && resumed {
			t.startsAfter = versionOf(since)
		}
	}
}

// persist saves the triggers. The lock is held.
func (s *subscribers) persist() {
	if s.save == nil {
		return
	}
	texts := make([]string, 0, len(s.list))
	for _, t := range s.list {
		if t.unselected {
			continue
		}
		fields := url.Values{}
		if t.syncedTo != "" {
			fields.Set("announced", t.syncedTo)
		}
		if t.startsAfter != 0 {
			fields.Set("since", t.startsAfter.String())
		}
		text := t.trigger.String()
		if more := fields.Encode(); more != "" {
			text += "?" + more
		}
		texts = append(texts, text)
	}
	s.save(texts)
}

// selectTriggers notes which triggers select the cluster of the watch, which does not run. It
// returns whether there are any that did not before; they are new on it.
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

// startNewAfter notes that what happened up to v is not for triggers that are fresh and
// were not admitted before. They stay fresh until settle.
func (s *subscribers) startNewAfter(v version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setStart(v, func(t *subscriber) bool { return t.startsAfter == 0 })
}

// startAllAfter notes that what happened up to v is not for triggers that are fresh, and
// that they are no longer.
func (s *subscribers) startAllAfter(v version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setStart(v, func(*subscriber) bool { return true })
	for _, t := range s.list {
		t.isNew = false
	}
}

// setStart saves that what happened up to v is not for the fresh triggers of which
// that holds. The lock is held.
func (s *subscribers) setStart(v version, matches func(*subscriber) bool) {
	if v&hashed != 0 {
		v = 0 // in no order with others
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

// clearNew notes that no trigger is fresh any more: the stream flows.
func (s *subscribers) clearNew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		t.isNew = false
	}
}

// committed notes that all up to v is done.
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

// resetStart notes that the watch starts anew: all from now on is for everyone.
func (s *subscribers) resetStart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		t.startsAfter, t.isNew = 0, false
	}
	s.persist()
}

// resetSync notes that the objects which were announced are gone.
func (s *subscribers) resetSync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.list {
		t.syncedTo = ""
	}
	s.persist()
}

// hasPendingStart reports whether any trigger does not get all events yet.
func (s *subscribers) hasPendingStart() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.list, func(t *subscriber) bool { return t.startsAfter != 0 })
}

// syncVersion returns the resourceVersion from which on all triggers get all events of
// a watch that is at position.
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

// forEvent returns whom an event of the stream at v is for; nil means all.
func (s *subscribers) forEvent(v version) []event.TriggerRef {
	return s.filter(func(t *subscriber) bool { return t.startsAfter == 0 || t.startsAfter.before(v) })
}

// forListed returns whom a difference that a list has shown is for; nil means all.
// v is the version of the object, 0 where that is not known.
func (s *subscribers) forListed(v version) []event.TriggerRef {
	return s.filter(func(t *subscriber) bool {
		return !t.isNew && (t.startsAfter == 0 || v == 0 || t.startsAfter.before(v))
	})
}

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

// awaitingSync returns the triggers that were not told of all objects that exist.
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

// forSync returns whom the object at key is to be announced to; nil means all.
func (s *subscribers) forSync(key string) []event.TriggerRef {
	return s.filter(func(t *subscriber) bool { return !t.sync || t.syncedTo < key })
}

// setSyncedTo notes that group was told of all objects up to key.
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
