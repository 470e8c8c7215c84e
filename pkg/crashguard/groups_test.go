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
	"path/filepath"
	"testing"
)

// TestGroupTracker counts the crashes of which no evaluation is the cause, for the groups that
// were active.
func TestGroupTracker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evaluations")
	deaths := func(tracker *Tracker, want map[string]int) {
		t.Helper()
		for name, n := range want {
			if got := tracker.Group(name).Deaths(); got != n {
				t.Errorf("%s: %d deaths, want %d", name, got, n)
			}
		}
	}
	tracker := openTracker(t, path)
	tracker.Group("busy").SetActive(true)
	released := tracker.Group("released")
	released.SetActive(true)
	released.Release()
	done := tracker.Group("done")
	done.SetActive(true)
	done.SetActive(false)
	tracker.Group("idle")
	crash(tracker)

	tracker = openTracker(t, path)
	deaths(tracker, map[string]int{"busy": 1, "released": 0, "done": 0, "idle": 0, "new": 0})
	tracker.Group("busy").SetActive(true)
	tracker.Group("idle").SetActive(true)
	crash(tracker)

	tracker = openTracker(t, path)
	deaths(tracker, map[string]int{"busy": 2, "done": 0, "idle": 1})
	crash(tracker) // while none is active

	tracker = openTracker(t, path)
	deaths(tracker, map[string]int{"busy": 2, "idle": 1})
	tracker.ForgetDeaths()
	crash(tracker)
	tracker = openTracker(t, path)
	deaths(tracker, map[string]int{"busy": 0, "idle": 0})
	tracker.Group("busy").SetActive(true)
	if err := tracker.Close(); err != nil {
		t.Fatal(err)
	}
	deaths(openTracker(t, path), map[string]int{"busy": 0})
}

// TestGroupTracker_Explained counts no crash for a group once an evaluation explains it.
func TestGroupTracker_Explained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evaluations")
	for range 2 {
		tracker := openTracker(t, path)
		tracker.Group("a").SetActive(true)
		tracker.Subject("bad", "").Begin("1")
		crash(tracker)
	}
	tracker := openTracker(t, path)
	if got := tracker.Group("a").Deaths(); got != 0 || !tracker.Subject("bad", "").Crashed() {
		t.Errorf("%d deaths of the group, want 0 since the evaluation is known", got)
	}
}

// TestGroupTracker_Machine does not count a crash of the machine.
func TestGroupTracker_Machine(t *testing.T) {
	group := evaluation{subject: hashSubject("group", "a")}
	for name, tt := range map[string]struct {
		boot subjectHash
		want byte
	}{
		"process": {bootHash(), 2},
		"machine": {hashSubject("boot", "another"), 1},
	} {
		records := []record{{state: isActive, count: 1, evaluation: group}, {state: boot, evaluation: evaluation{subject: tt.boot}}}
		if got := countDeaths(records, false)[group.subject]; got != tt.want {
			t.Errorf("%s: %d deaths, want %d", name, got, tt.want)
		}
	}
}

// TestTracker_ManyGroups: groups beyond the maximum are not tracked.
func TestTracker_ManyGroups(t *testing.T) {
	tracker := openTracker(t, filepath.Join(t.TempDir(), "evaluations"))
	for i := range maxGroups + 10 {
		g := tracker.Group(string(rune('a'+i%26)) + string(rune(i)))
		g.SetActive(true)
	}
	tracker.Group("untracked").Release()
	crash(tracker)
	if got := tracker.Group("closed").Deaths(); got != 0 {
		t.Errorf("%d deaths", got)
	}
}
