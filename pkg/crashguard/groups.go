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

package crashguard

import (
	"os"
	"strings"
)

// maxGroups is the maximum number of groups that are tracked at a time.
const maxGroups = 512

// firstGroup is the index of the first record of a group, and bootSlot that of the record
// of the machine's start.
const (
	firstGroup = firstSlot + maxRunning
	bootSlot   = firstGroup + maxGroups
)

// GroupTracker tracks whether the subjects of one group, such as the triggers of a
// TriggerService, were active when a process crashed. It is safe for concurrent use.
type GroupTracker struct {
	tracker *Tracker
	slot    int
	deaths  int
}

// Group returns the tracker of the group with that name, until it is released. A name that
// changes with what the group does starts anew.
func (t *Tracker) Group(name string) *GroupTracker {
	hash := hashSubject("group", name)
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &GroupTracker{tracker: t, slot: -1, deaths: int(t.deaths[hash])}
	if n := len(t.freeGroups); n > 0 && t.memory != nil {
		g.slot = t.freeGroups[n-1]
		t.freeGroups = t.freeGroups[:n-1]
		record{state: counted, count: t.deaths[hash], evaluation: evaluation{subject: hash}}.encode(t.memory[g.slot*recordSize:])
	}
	return g
}

// Release ends the tracking of the group.
func (g *GroupTracker) Release() {
	g.tracker.mu.Lock()
	defer g.tracker.mu.Unlock()
	if g.tracker.memory == nil || g.slot < 0 {
		return
	}
	g.tracker.memory[g.slot*recordSize] = byte(finished)
	g.tracker.freeGroups = append(g.tracker.freeGroups, g.slot)
	g.slot = -1
}

// Deaths returns how often in a row a process crashed while the group was active and the
// evaluation that crashed it was not found.
func (g *GroupTracker) Deaths() int { return g.deaths }

// SetActive records whether the group is active.
func (g *GroupTracker) SetActive(active bool) {
	g.tracker.mu.Lock()
	defer g.tracker.mu.Unlock()
	if g.tracker.memory == nil || g.slot < 0 {
		return
	}
	s := counted
	if active {
		s = isActive
	}
	g.tracker.memory[g.slot*recordSize] = byte(s)
}

// ForgetDeaths starts to count the deaths of all groups anew, because the process has run for
// long enough.
func (t *Tracker) ForgetDeaths() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.deaths)
	for slot := firstGroup; slot < bootSlot && t.memory != nil; slot++ {
		t.memory[slot*recordSize+1] = 0
	}
}

// countDeaths returns the deaths of the groups in the records that a crashed process left.
// explained is set if its crash is: then nothing is counted any more. A crash of the machine
// is not counted.
func countDeaths(records []record, explained bool) map[subjectHash]byte {
	deaths := map[subjectHash]byte{}
	if explained {
		return deaths
	}
	sameBoot := false
	for _, r := range records {
		sameBoot = sameBoot || r.state == boot && r.subject == bootHash()
	}
	for _, r := range records {
		switch {
		case r.state == isActive && sameBoot:
			deaths[r.subject] = min(r.count, 254) + 1
		case r.state == isActive, r.state == counted:
			deaths[r.subject] = r.count
		}
	}
	return deaths
}

// bootHash identifies the start of the machine.
func bootHash() subjectHash {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // elsewhere, each machine is the same
	return hashSubject("boot", strings.TrimSpace(string(text)))
}
