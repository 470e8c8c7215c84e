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

// member is a trigger of a watch, and where for it the watch begins.
type member struct {
	trigger event.Trigger
	// wantsSync is set where it asks for the objects that exist when it starts.
	wantsSync bool
	// fresh is set while the watch goes on from before the trigger was there,
	// and it is not settled from where on events are for it.
	fresh bool
	// since is the version up to which events are not for it; 0 where all are.
	since version
	// announced is the key up to which it was told of the objects that exist.
	announced string
	// elsewhere is set while it does not select the cluster of the watch.
	elsewhere bool
}

// everything is behind the keys of all objects.
const everything = "\xff"

// members are the triggers of a watch. It is safe for concurrent use.
type members struct {
	// save is told of changes; nil where nothing is saved.
	save func(triggers []string)

	mu   sync.Mutex
	list []*member
}

func newMembers(shared []subscription) *members {
	m := &members{}
	for _, s := range shared {
		m.list = append(m.list, &member{trigger: s.trigger.Trigger, wantsSync: slices.Contains(s.events, event.Sync)})
	}
	return m
}

// load takes over what was saved. Triggers that were not are new on a watch that
// goes on.
func (m *members) load(saved []string, goesOn bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[string]string{}
	for _, text := range saved {
		name, more, _ := strings.Cut(text, "?")
		known[name] = more
	}
	for _, t := range m.list {
		more, ok := known[t.trigger.String()]
		if !ok {
			t.fresh = goesOn
			continue
		}
		fields, err := url.ParseQuery(more)
		if err != nil {
			continue // written by no version of this program: all is for it
		}
		t.announced = fields.Get("announced")
		if since := fields.Get("since"); since != "" && goesOn {
			t.since = versionOf(since)
		}
	}
}

// store saves the triggers. The lock is held.
func (m *members) store() {
	if m.save == nil {
		return
	}
	texts := make([]string, 0, len(m.list))
	for _, t := range m.list {
		if t.elsewhere {
			continue
		}
		fields := url.Values{}
		if t.announced != "" {
			fields.Set("announced", t.announced)
		}
		if t.since != 0 {
			fields.Set("since", t.since.String())
		}
		text := t.trigger.String()
		if more := fields.Encode(); more != "" {
			text += "?" + more
		}
		texts = append(texts, text)
	}
	m.save(texts)
}

// choose notes which triggers select the cluster of the watch, which does not run. It
// returns whether there are any that did not before; they are new on it.
func (m *members) choose(here []event.Trigger) (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.list {
		is := slices.Contains(here, t.trigger)
		if is && t.elsewhere {
			t.fresh, t.since, t.announced, more = true, 0, "", true
		}
		t.elsewhere = !is
	}
	return more
}

// admit notes that what happened up to v is not for triggers that are fresh and
// were not admitted before. They stay fresh until settle.
func (m *members) admit(v version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begin(v, func(t *member) bool { return t.since == 0 })
}

// skip notes that what happened up to v is not for triggers that are fresh, and
// that they are no longer.
func (m *members) skip(v version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begin(v, func(*member) bool { return true })
	for _, t := range m.list {
		t.fresh = false
	}
}

// begin saves that what happened up to v is not for the fresh triggers of which
// that holds. The lock is held.
func (m *members) begin(v version, holds func(*member) bool) {
	if v&hashed != 0 {
		v = 0 // in no order with others
	}
	moved := false
	for _, t := range m.list {
		if t.fresh && holds(t) {
			t.since, moved = v, true
		}
	}
	if moved {
		m.store()
	}
}

// settle notes that no trigger is fresh any more: the stream flows.
func (m *members) settle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.list {
		t.fresh = false
	}
}

// pass notes that all up to v is done.
func (m *members) pass(v version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	passed := false
	for _, t := range m.list {
		if t.since != 0 && !v.before(t.since) {
			t.since, passed = 0, true
		}
	}
	if passed {
		m.store()
	}
}

// restart notes that the watch starts anew: all from now on is for everyone.
func (m *members) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.list {
		t.since, t.fresh = 0, false
	}
	m.store()
}

// forget notes that the objects which were announced are gone.
func (m *members) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.list {
		t.announced = ""
	}
	m.store()
}

// late reports whether any trigger does not get all events yet.
func (m *members) late() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.list, func(t *member) bool { return t.since != 0 })
}

// start returns the resourceVersion from which on all triggers get all events of
// a watch that is at position.
func (m *members) start(position string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	start := versionOf(position)
	for _, t := range m.list {
		if start.before(t.since) {
			start = t.since
		}
	}
	if start&hashed != 0 {
		return position
	}
	return start.String()
}

// at returns whom an event of the stream at v is for; nil means all.
func (m *members) at(v version) []event.Trigger {
	return m.where(func(t *member) bool { return t.since == 0 || t.since.before(v) })
}

// found returns whom a difference that a list has shown is for; nil means all.
// v is the version of the object, 0 where that is not known.
func (m *members) found(v version) []event.Trigger {
	return m.where(func(t *member) bool {
		return !t.fresh && (t.since == 0 || v == 0 || t.since.before(v))
	})
}

func (m *members) where(holds func(*member) bool) []event.Trigger {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.ContainsFunc(m.list, func(t *member) bool { return t.elsewhere || !holds(t) }) {
		return nil
	}
	some := []event.Trigger{}
	for _, t := range m.list {
		if !t.elsewhere && holds(t) {
			some = append(some, t.trigger)
		}
	}
	return some
}

// waiting returns the triggers that were not told of all objects that exist.
func (m *members) waiting() []*member {
	m.mu.Lock()
	defer m.mu.Unlock()
	var some []*member
	for _, t := range m.list {
		if t.wantsSync && !t.elsewhere && t.announced != everything {
			some = append(some, t)
		}
	}
	return some
}

// behind returns whom the object at key is to be announced to; nil means all.
func (m *members) behind(key string) []event.Trigger {
	return m.where(func(t *member) bool { return !t.wantsSync || t.announced < key })
}

// announce notes that group was told of all objects up to key.
func (m *members) announce(group []*member, key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	moved := false
	for _, t := range group {
		if t.announced < key {
			t.announced, moved = key, true
		}
	}
	if moved {
		m.store()
	}
}
