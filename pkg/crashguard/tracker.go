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

// Package crashguard finds the evaluations of CUE that crash the process, by a
// stack overflow or by using up the memory. It keeps the running evaluations in a
// file that survives the process.
//
//   - All evaluations that were running at a crash are suspects. Suspects run one at a
//     time in the next process, so that a second crash has only one of them.
//   - A suspect that was running at the next crash, too, is fatal, and so is its whole
//     subject, as long as the subject's text stays the same. A crash without it clears
//     the suspicion, as does a regular stop.
//   - Groups of subjects say whether they are active. Where a crash is not explained by an
//     evaluation, the groups that were active are counted.
//   - Records survive a crash of the process, but not of the machine. Tracking
//     never fails an evaluation: beyond 1,024 concurrent evaluations, further
//     ones are not tracked.
package crashguard

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// maxFatal is the maximum number of fatal evaluations that are kept.
	maxFatal = 100
	// maxRunning is the maximum number of running evaluations that are tracked, and so
	// of suspects.
	maxRunning = 1024
	// suspectWait limits the time that a suspect waits for another one, which may never
	// end.
	suspectWait = 5 * time.Second
)

// firstSlot is the index of the first record of a running evaluation.
const firstSlot = maxFatal + maxRunning

// ErrInUse reports that another process uses the file.
var ErrInUse = errors.New("another process uses the file")

// Tracker tracks the running evaluations of a process in one file. It is safe for
// concurrent use.
type Tracker struct {
	path string
	// fatal are the subjects with a fatal evaluation.
	fatal    map[subjectHash]bool
	suspects map[evaluation]bool
	// deaths are the unexplained crashes of groups.
	deaths map[subjectHash]byte
	// suspect holds a token while a suspect runs.
	suspect chan struct{}

	mu sync.Mutex
	// memory is the mapped file. A write to it survives a crash that follows
	// immediately. It is nil after Close.
	memory []byte
	file   *os.File
	// freeGroups are the indexes of the slots without a group.
	freeGroups []int
	// freeSlots are the indexes of the slots without a running evaluation.
	freeSlots []int
}

// Open reads the file at path that the previous process left, classifies its
// evaluations, and starts a new file. It returns ErrInUse while another process uses
// the file.
func Open(path string) (*Tracker, error) {
	t, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("record evaluations in %s: %w", path, err)
	}
	return t, nil
}

func open(path string) (*Tracker, error) {
	previous, err := openLocked(path)
	if err != nil {
		return nil, err
	}
	defer previous.Close()
	old, err := io.ReadAll(previous)
	if err != nil {
		return nil, err
	}
	t := &Tracker{path: path, fatal: map[subjectHash]bool{}, suspects: map[evaluation]bool{}, suspect: make(chan struct{}, 1)}
	data := make([]byte, (bootSlot+1)*recordSize)
	record{state: boot, evaluation: evaluation{subject: bootHash()}}.encode(data[bootSlot*recordSize:])
	records := parse(old)
	kept, explained := classify(records)
	t.deaths = countDeaths(records, explained)
	for i, r := range kept {
		r.encode(data[i*recordSize:])
		if r.state == fatal {
			t.fatal[r.subject] = true
		} else {
			t.suspects[r.evaluation] = true
		}
	}
	for i := range maxRunning {
		t.freeSlots = append(t.freeSlots, firstSlot+maxRunning-1-i)
	}
	for i := range maxGroups {
		t.freeGroups = append(t.freeGroups, bootSlot-1-i)
	}
	// Replace the file atomically: the process may crash here too.
	temp := path + ".new"
	if t.file, err = openLocked(temp); err != nil {
		return nil, err
	}
	if err = t.write(data); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return nil, errors.Join(err, t.file.Close())
	}
	return t, nil
}

// openLocked opens a file, which may not exist yet, and locks it.
func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// write writes data to the file and maps it.
func (t *Tracker) write(data []byte) error {
	if err := t.file.Truncate(0); err != nil {
		return err
	}
	if _, err := t.file.Write(data); err != nil {
		return err
	}
	var err error
	t.memory, err = mmap(t.file, len(data))
	return err
}

// classify returns the records to keep of those that a previous process left, and whether its
// crash is explained: one evaluation was running at both of the last two.
func classify(records []record) (kept []record, explained bool) {
	var fatals, suspects []record
	suspected, crashed, repeated := map[evaluation]bool{}, map[evaluation]bool{}, map[evaluation]bool{}
	for _, r := range records {
		switch r.state {
		case fatal:
			fatals = append(fatals, r)
		case suspect:
			suspected[r.evaluation] = true
		case running:
			crashed[r.evaluation] = true
		}
	}
	for e := range crashed {
		if suspected[e] {
			repeated[e] = true
		}
	}
	if len(repeated) > 0 {
		crashed = repeated
	}
	for _, e := range slices.SortedFunc(maps.Keys(crashed), compareEvaluations) {
		if len(repeated) == 1 {
			fatals = append(fatals, record{state: fatal, evaluation: e})
		} else {
			suspects = append(suspects, record{state: suspect, evaluation: e})
		}
	}
	fatals = fatals[max(0, len(fatals)-maxFatal):]
	return append(fatals, suspects[:min(len(suspects), maxRunning)]...), len(repeated) == 1
}

// begin records e as running until end is called. A suspect waits until no other
// suspect is running.
func (t *Tracker) begin(e evaluation) (end func()) {
	release := func() {}
	if t.suspects[e] {
		release = t.acquire()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.freeSlots)
	if t.memory == nil || n == 0 {
		return release
	}
	slot := t.freeSlots[n-1]
	t.freeSlots = t.freeSlots[:n-1]
	record{state: running, evaluation: e}.encode(t.memory[slot*recordSize:])
	return func() {
		t.end(slot)
		release()
	}
}

// acquire waits until no other suspect is running, for a limited time.
func (t *Tracker) acquire() (release func()) {
	timer := time.NewTimer(suspectWait)
	defer timer.Stop()
	select {
	case t.suspect <- struct{}{}:
		return func() { <-t.suspect }
	case <-timer.C:
		return func() {}
	}
}

func (t *Tracker) end(slot int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.memory != nil {
		t.memory[slot*recordSize] = byte(finished)
		t.freeSlots = append(t.freeSlots, slot)
	}
}

// Close clears the running evaluations, because the process stops regularly. It removes
// the file if it holds no fatal evaluation.
func (t *Tracker) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.memory == nil {
		return nil
	}
	for slot := maxFatal; slot < bootSlot; slot++ {
		if state(t.memory[slot*recordSize]) != fatal {
			t.memory[slot*recordSize] = byte(finished)
		}
	}
	err := munmap(t.memory)
	t.memory = nil
	if len(t.fatal) == 0 {
		err = errors.Join(err, os.Remove(t.path))
	}
	return errors.Join(err, t.file.Close())
}

// Subject returns the tracker of the evaluations of one subject: the trigger or view
// with that name and text.
func (t *Tracker) Subject(name, text string) *SubjectTracker {
	return &SubjectTracker{t, hashSubject(name, text)}
}

// SubjectTracker tracks the evaluations of one subject. It is safe for concurrent
// use.
type SubjectTracker struct {
	tracker *Tracker
	subject subjectHash
}

// Begin records that the event with the ID id is being evaluated, until end is
// called. It may wait up to 5 s for another evaluation if the process crashed during
// this one.
func (s *SubjectTracker) Begin(id string) (end func()) {
	return s.tracker.begin(evaluation{s.subject, hashEvent(id)})
}

// Crashed reports whether two processes crashed during the evaluation of one event by
// the subject, so that it must not run again.
func (s *SubjectTracker) Crashed() bool { return s.tracker.fatal[s.subject] }
