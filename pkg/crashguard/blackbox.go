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

// Package blackbox remembers beyond the end of a process which evaluations of
// CUE it was in the middle of, since some end it: by a stack without end, or by
// all of the memory.
//
//   - Two processes in a row that ended during the same evaluation, and during
//     that alone, make it fatal. Where there were several each time, it takes four
//     processes, and makes all of those fatal.
//   - What is fatal stays so for as long as the text of the CUE stays. Three that
//     are make all of the subject so, since each has cost processes.
//   - It outlives the process, not a loss of power. It never fails an evaluation:
//     where more than 1,024 are going on, the others are not remembered.
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
	// maxRecords is how many suspect and fatal evaluations are remembered.
	maxRecords = 100
	// maxRunning is how many evaluations that go on can be.
	maxRunning = 1024
	// fatalEvaluations is how many fatal evaluations of one subject make all of it fatal.
	fatalEvaluations = 3
	// fatalCrashes is how many ends of a process in a row are no chance, however many
	// evaluations were going on each time.
	fatalCrashes = 4
)

// Tracker is one file. It is safe for concurrent use.
type Tracker struct {
	fatal map[subjectHash]map[eventHash]bool

	mu sync.Mutex
	// memory is the file's: what is written to it outlives the process at once,
	// also one that stands still a moment later. It is nil once closed.
	memory []byte
	file   *os.File
	// freeSlots are the places that hold no evaluation.
	freeSlots []int
}

// Open reads what the process before has left at path, and begins anew. One
// process at a time may use it.
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
	// Never half of it: the process may end here, too.
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	if t.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	if t.memory, err = mmap(t.file, len(data)); err != nil {
		return nil, errors.Join(fmt.Errorf("remember evaluations: %w", err), t.file.Close())
	}
	return t, nil
}

// classify returns what is to be remembered of what a process has left.
func classify(records []record) []record {
	var remembered []record
	suspects, current := map[evaluation]byte{}, map[evaluation]byte{}
	for _, r := range records {
		switch r.state {
		case fatal:
			remembered = append(remembered, r)
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
		remembered = append(remembered, r)
	}
	return remembered[max(0, len(remembered)-maxRecords):]
}

// begin remembers e, until what it returns is called.
func (b *Tracker) begin(e evaluation) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.freeSlots)
	if b.memory == nil || n == 0 {
		return func() {}
	}
	slot := b.freeSlots[n-1]
	b.freeSlots = b.freeSlots[:n-1]
	record{state: running, evaluation: e}.encode(b.memory[slot*recordSize:])
	return func() { b.end(slot) }
}

func (b *Tracker) end(slot int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memory != nil {
		b.memory[slot*recordSize] = byte(finished)
		b.freeSlots = append(b.freeSlots, slot)
	}
}

// Close forgets the evaluations that go on: this process was told to end.
func (b *Tracker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memory == nil {
		return nil
	}
	for slot := maxRecords; slot < maxRecords+maxRunning; slot++ {
		b.memory[slot*recordSize] = byte(finished)
	}
	err := errors.Join(munmap(b.memory), b.file.Close())
	b.memory = nil
	return err
}

// Subject returns the recorder of what is named by name and does what text says.
func (b *Tracker) Subject(name, text string) *SubjectTracker {
	return &SubjectTracker{b, hashSubject(name, text)}
}

// SubjectTracker is the part of a Box that is about one subject.
type SubjectTracker struct {
	tracker *Tracker
	subject subjectHash
}

// Begin says that an event of that ID is being evaluated. What it returns says
// that this has ended.
func (r *SubjectTracker) Begin(id string) (end func()) {
	return r.tracker.begin(evaluation{r.subject, hashEvent(id)})
}

// Fatal reports whether the evaluation of an event of that ID ends the process;
// for the ID "", whether that of any event does.
func (r *SubjectTracker) Fatal(id string) bool {
	fatal := r.tracker.fatal[r.subject]
	return len(fatal) >= fatalEvaluations || len(fatal) > 0 && fatal[hashEvent(id)]
}
