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
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
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
	for crashes := range 5 {
		tracker := openTracker(t, path)
		bad, good := tracker.Subject("bad", "text"), tracker.Subject("good", "text")
		if got, want := bad.Crashed(), crashes >= 2; got != want {
			t.Errorf("after %d crashes: fatal %t, want %t", crashes, got, want)
		}
		if good.Crashed() || tracker.Subject("bad", "other text").Crashed() {
			t.Errorf("after %d crashes: another subject or text is fatal", crashes)
		}
		good.Begin("other")()
		bad.Begin("event")
		good.Begin(strconv.Itoa(crashes)) // runs at the same time
		crash(tracker)
	}
	tracker := openTracker(t, path)
	if err := tracker.Close(); err != nil {
		t.Fatal(err)
	}
	if tracker = openTracker(t, path); !tracker.Subject("bad", "text").Crashed() {
		t.Error("not fatal after a regular stop")
	}
}

func TestTracker_NotFatal(t *testing.T) {
	for name, run := range map[string]func(tracker *Tracker, round int){
		"other-event": func(tracker *Tracker, round int) { tracker.Subject("a", "").Begin(strconv.Itoa(round)); crash(tracker) },
		"other-text": func(tracker *Tracker, round int) {
			tracker.Subject("a", strconv.Itoa(round)).Begin("1")
			crash(tracker)
		},
		"closed": func(tracker *Tracker, _ int) { tracker.Subject("a", "").Begin("1"); _ = tracker.Close() },
		"ended":  func(tracker *Tracker, _ int) { tracker.Subject("a", "").Begin("1")(); crash(tracker) },
		"alternating": func(tracker *Tracker, round int) {
			if round%2 == 0 {
				tracker.Subject("a", "").Begin("1")
			} else {
				tracker.Subject("b", "").Begin("1")
			}
			crash(tracker)
		},
		"closed-between": func(tracker *Tracker, round int) {
			tracker.Subject("a", "").Begin("1")
			if round%2 == 0 {
				crash(tracker)
			} else {
				_ = tracker.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "evaluations")
			for round := range 4 {
				tracker := openTracker(t, path)
				if len(tracker.fatal) > 0 {
					t.Errorf("fatal after %d rounds", round)
				}
				run(tracker, round)
			}
		})
	}
}

// TestTracker_ConcurrentSuspects runs the evaluations of a crash one after the other,
// so that the second crash has one suspect.
func TestTracker_ConcurrentSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "evaluations")
		tracker := openTracker(t, path)
		for i := range 5 {
			tracker.Subject("good", "").Begin(strconv.Itoa(i))
			tracker.Subject("bad", "").Begin(strconv.Itoa(i))
		}
		crash(tracker)

		tracker = openTracker(t, path)
		end := tracker.Subject("good", "").Begin("1")
		began := make(chan struct{})
		go func() {
			tracker.Subject("bad", "").Begin("3")
			close(began)
		}()
		tracker.Subject("good", "").Begin("new") // does not wait
		synctest.Wait()
		select {
		case <-began:
			t.Error("a suspect does not wait for another one")
		default:
		}
		end()
		<-began
		crash(tracker)

		tracker = openTracker(t, path)
		if tracker.Subject("good", "").Crashed() || !tracker.Subject("bad", "").Crashed() {
			t.Errorf("good fatal %t, bad fatal %t", tracker.Subject("good", "").Crashed(), tracker.Subject("bad", "").Crashed())
		}
	})
}

// TestTracker_EndlessSuspect lets other suspects run although one does not end. A crash
// then has several suspects, none of which is fatal.
func TestTracker_EndlessSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "evaluations")
		for range 3 {
			tracker := openTracker(t, path)
			if len(tracker.fatal) > 0 {
				t.Error("fatal")
			}
			tracker.Subject("endless", "").Begin("1")
			tracker.Subject("bad", "").Begin("1")
			crash(tracker)
		}
	})
}

func TestOpen_InUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evaluations")
	tracker := openTracker(t, path)
	if _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	if err := tracker.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no file", err)
	}
	openTracker(t, path)
}

func TestOpen_Symlink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"evaluations", "evaluations.new"} {
		link := filepath.Join(dir, name)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(filepath.Join(dir, "evaluations")); err == nil {
			t.Errorf("%s: followed a symbolic link", name)
		}
		_ = os.Remove(link)
	}
	if got, err := os.ReadFile(target); string(got) != "precious" {
		t.Errorf("got %q, %v", got, err)
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
	record{state: suspect}.encode(two[recordSize:])
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
