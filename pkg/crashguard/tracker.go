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
//   - An evaluation is fatal if it was the only one running at two consecutive
//     crashes. If the same several evaluations were running each time, all of
//     them are fatal after four consecutive crashes.
//   - A fatal evaluation stays fatal as long as the text of the CUE stays the
//     same. Three fatal evaluations of a subject make every evaluation of the
//     subject fatal.
//   - Records survive a crash of the process, but not of the machine. Tracking
//     never fails an evaluation: beyond 1,024 concurrent evaluations, further
//     ones are not tracked.
package crashguard

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
)

const (
	// maxRecords is the maximum number of suspect and fatal evaluations that are
	// kept.
	maxRecords = 100
	// maxRunning is the maximum number of running evaluations that are tracked.
	maxRunning = 1024
	// fatalEvaluations is the number of fatal evaluations that make a whole
	// subject fatal.
	fatalEvaluations = 3
	// fatalCrashes is the number of consecutive crashes that make an evaluation
	// fatal even if other evaluations were running too.
	fatalCrashes = 4
)

// Tracker tracks the running evaluations of a process in one file. It is safe for
// concurrent use.
type Tracker struct {
	fatal map[subjectHash]map[eventHash]bool

	mu sync.Mutex
	// memory is the mapped file. A write to it survives a crash that follows
	// immediately. It is nil after Close.
	memory []byte
	file   *os.File
	// freeSlots are the indexes of the slots without a running evaluation.
	freeSlots []int
}

// Open reads the file at path that the previous process left, classifies its
// evaluations, and starts a new file. Only one process at a time may use a file.
func Open(path string) (*Tracker, error) {
	previous, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read evaluations: %w", err)
	}
	t := &Tracker{fatal: map[subjectHash]map[eventHash]bool{}}
	data := make([]byte, (maxRecords+maxRunning)*recordSize)
	for i, r := range classify(parse(previous)) {
		r.encode(data[i*recordSize:])
		if r.state == fatal {
			if t.fatal[r.subject] == nil {
				t.fatal[r.subject] = map[eventHash]bool{}
			}
			t.fatal[r.subject][r.event] = true
		}
	}
	for i := range maxRunning {
		t.freeSlots = append(t.freeSlots, maxRecords+maxRunning-1-i)
	}
	// Replace the file atomically: the process may crash here too.
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return nil, fmt.Errorf("save evaluations: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return nil, fmt.Errorf("save evaluations: %w", err)
	}
	if t.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("save evaluations: %w", err)
	}
	if t.memory, err = mmap(t.file, len(data)); err != nil {
		return nil, errors.Join(fmt.Errorf("save evaluations: %w", err), t.file.Close())
	}
	return t, nil
}

// classify returns the records to keep of those that a previous process left.
func classify(records []record) []record {
	var kept []record
	suspects, current := map[evaluation]byte{}, map[evaluation]byte{}
	for _, r := range records {
		switch r.state {
		case fatal:
			kept = append(kept, r)
		case suspect:
			suspects[r.evaluation] = r.crashes
		case running:
			current[r.evaluation] = 1
		}
	}
	repeated := map[evaluation]byte{}
	for e := range current {
		if n := suspects[e]; n > 0 {
			repeated[e] = n + 1
		}
	}
	if len(repeated) > 0 {
		current = repeated
	}
	for _, e := range slices.SortedFunc(maps.Keys(current), compareEvaluations) {
		r := record{suspect, current[e], e}
		if r.crashes > 1 && len(current) == 1 || r.crashes >= fatalCrashes {
			r.state = fatal
		}
		kept = append(kept, r)
	}
	return kept[max(0, len(kept)-maxRecords):]
}

// begin records e as running until end is called.
func (t *Tracker) begin(e evaluation) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.freeSlots)
	if t.memory == nil || n == 0 {
		return func() {}
	}
	slot := t.freeSlots[n-1]
	t.freeSlots = t.freeSlots[:n-1]
	record{state: running, evaluation: e}.encode(t.memory[slot*recordSize:])
	return func() { t.end(slot) }
}

func (t *Tracker) end(slot int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.memory != nil {
		t.memory[slot*recordSize] = byte(finished)
		t.freeSlots = append(t.freeSlots, slot)
	}
}

// Close clears the running evaluations, because the process stops regularly.
func (t *Tracker) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.memory == nil {
		return nil
	}
	for slot := maxRecords; slot < maxRecords+maxRunning; slot++ {
		t.memory[slot*recordSize] = byte(finished)
	}
	err := errors.Join(munmap(t.memory), t.file.Close())
	t.memory = nil
	return err
}

// Subject returns the tracker of the evaluations of one subject: the CUE text of
// the filter or view with that name.
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
// called.
func (s *SubjectTracker) Begin(id string) (end func()) {
	return s.tracker.begin(evaluation{s.subject, hashEvent(id)})
}

// Crashed reports whether evaluating the event with the ID id crashes the process;
// for the ID "", whether evaluating any event does.
func (s *SubjectTracker) Crashed(id string) bool {
	fatal := s.tracker.fatal[s.subject]
	return len(fatal) >= fatalEvaluations || len(fatal) > 0 && fatal[hashEvent(id)]
}
