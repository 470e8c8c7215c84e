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
	"path/filepath"
	"strconv"
	"testing"
)

// crash leaves the file as a killed process does.
func crash(tracker *Tracker) {
	_ = munmap(tracker.memory)
	tracker.memory = nil
	_ = tracker.file.Close()
}

func openTracker(t *testing.T, path string) *Tracker {
	t.Helper()
	tracker, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracker.Close() }) // unless the test has closed it
	return tracker
}

func TestTracker_TwoCrashes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evaluations")
	for crashes := range 6 {
		tracker := openTracker(t, path)
		bad, good := tracker.Subject("bad", "text"), tracker.Subject("good", "text")
		for event := range 3 {
			id := strconv.Itoa(event)
			if got, want := bad.Crashed(id), crashes >= 2*(event+1); got != want {
				t.Errorf("after %d crashes: event %s fatal %t, want %t", crashes, id, got, want)
			}
			if good.Crashed(id) {
				t.Errorf("after %d crashes: the other subject is fatal", crashes)
			}
		}
		if bad.Crashed("") {
			t.Errorf("after %d crashes: the whole subject is fatal", crashes)
		}
		id := strconv.Itoa(crashes / 2)
		good.Begin("other")()
		bad.Begin(id)
		good.Begin(strconv.Itoa(crashes)) // runs at the same time
		crash(tracker)
	}
	tracker := openTracker(t, path)
	if bad := tracker.Subject("bad", "text"); !bad.Crashed("0") || !bad.Crashed("other") || !bad.Crashed("") {
		t.Error("three events are fatal, but not the whole subject")
	}
	if tracker.Subject("bad", "other text").Crashed("0") {
		t.Error("a changed text is fatal")
	}
}

func TestTracker_NotFatal(t *testing.T) {
	for name, run := range map[string]func(tracker *Tracker, round int){
		"other-event": func(tracker *Tracker, round int) { tracker.Subject("a", "").Begin(strconv.Itoa(round)); crash(tracker) },
		"closed":      func(tracker *Tracker, _ int) { tracker.Subject("a", "").Begin("1"); _ = tracker.Close() },
		"ended":       func(tracker *Tracker, _ int) { tracker.Subject("a", "").Begin("1")(); crash(tracker) },
		"alternating": func(tracker *Tracker, round int) {
			if round%2 == 0 {
				tracker.Subject("a", "").Begin("1")
			} else {
				tracker.Subject("b", "").Begin("1")
			}
			crash(tracker)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "evaluations")
			for round := range 4 {
				tracker := openTracker(t, path)
				if tracker.Subject("a", "").Crashed("1") || tracker.Subject("a", "").Crashed("") {
					t.Errorf("fatal after %d rounds", round)
				}
				run(tracker, round)
			}
		})
	}
}

func TestTracker_ConcurrentEvaluations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evaluations")
	for crashes := range 5 {
		tracker := openTracker(t, path)
		one, two := tracker.Subject("one", ""), tracker.Subject("two", "")
		if got, want := one.Crashed("1") || two.Crashed("1"), crashes == 4; got != want {
			t.Errorf("after %d crashes: fatal %t, want %t", crashes, got, want)
		}
		one.Begin("1")
		two.Begin("1")
		crash(tracker)
	}
}

func TestTracker_SlotReuse(t *testing.T) {
	tracker := openTracker(t, filepath.Join(t.TempDir(), "evaluations"))
	for range 3 * maxRunning {
		tracker.Subject("a", "").Begin("1")()
	}
	if len(tracker.freeSlots) != maxRunning {
		t.Errorf("%d free slots, want %d", len(tracker.freeSlots), maxRunning)
	}
	for range 2 * maxRunning {
		defer tracker.Subject("a", "").Begin("1")()
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("\x01not a record"))
	two := make([]byte, 2*recordSize)
	record{state: running}.encode(two)
	record{state: suspect, crashes: 255}.encode(two[recordSize:])
	f.Add(two)
	f.Fuzz(func(t *testing.T, previous []byte) {
		path := filepath.Join(t.TempDir(), "evaluations")
		if err := os.WriteFile(path, previous, 0o600); err != nil {
			t.Fatal(err)
		}
		tracker := openTracker(t, path)
		tracker.Subject("a", "").Begin("1")()
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkSubjectTracker_Begin(b *testing.B) {
	tracker, err := Open(filepath.Join(b.TempDir(), "evaluations"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = tracker.Close() })
	s := tracker.Subject("a", "")
	for b.Loop() {
		s.Begin("115e288b-cab2-d9a3-5c17-c1de9f72c16d@242")()
	}
}
