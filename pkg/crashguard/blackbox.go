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
	// most is how many suspect and fatal evaluations are remembered.
	most = 100
	// places is how many evaluations that go on can be.
	places = 1024
	// enough is how many fatal evaluations of one subject make all of it fatal.
	enough = 3
	// sure is how many ends of a process in a row are no chance, however many
	// evaluations were going on each time.
	sure = 4
)

// Box is one file. It is safe for concurrent use.
type Box struct {
	fatal map[subject]map[occasion]bool

	mu sync.Mutex
	// memory is the file's: what is written to it outlives the process at once,
	// also one that stands still a moment later. It is nil once closed.
	memory []byte
	file   *os.File
	// free are the places that hold no evaluation.
	free []int
}

// Open reads what the process before has left at path, and begins anew. One
// process at a time may use it.
func Open(path string) (*Box, error) {
	left, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read evaluations: %w", err)
	}
	b := &Box{fatal: map[subject]map[occasion]bool{}}
	text := make([]byte, (most+places)*recordSize)
	for i, r := range judge(parse(left)) {
		r.put(text[i*recordSize:])
		if r.state == fatal {
			if b.fatal[r.subject] == nil {
				b.fatal[r.subject] = map[occasion]bool{}
			}
			b.fatal[r.subject][r.event] = true
		}
	}
	for i := range places {
		b.free = append(b.free, most+places-1-i)
	}
	// Never half of it: the process may end here, too.
	fresh := path + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	if b.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	if b.memory, err = mapped(b.file, len(text)); err != nil {
		return nil, errors.Join(fmt.Errorf("remember evaluations: %w", err), b.file.Close())
	}
	return b, nil
}

// judge returns what is to be remembered of what a process has left.
func judge(left []record) []record {
	var kept []record
	before, now := map[evaluation]byte{}, map[evaluation]byte{}
	for _, r := range left {
		switch r.state {
		case fatal:
			kept = append(kept, r)
		case suspect:
			before[r.evaluation] = r.deaths
		case running:
			now[r.evaluation] = 1
		}
	}
	again := map[evaluation]byte{}
	for e := range now {
		if n := before[e]; n > 0 {
			again[e] = n + 1
		}
	}
	if len(again) > 0 {
		now = again
	}
	for _, e := range slices.SortedFunc(maps.Keys(now), compare) {
		r := record{suspect, now[e], e}
		if r.deaths > 1 && len(now) == 1 || r.deaths >= sure {
			r.state = fatal
		}
		kept = append(kept, r)
	}
	return kept[max(0, len(kept)-most):]
}

// begin remembers e, until what it returns is called.
func (b *Box) begin(e evaluation) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.free)
	if b.memory == nil || n == 0 {
		return func() {}
	}
	place := b.free[n-1]
	b.free = b.free[:n-1]
	record{state: running, evaluation: e}.put(b.memory[place*recordSize:])
	return func() { b.end(place) }
}

func (b *Box) end(place int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memory != nil {
		b.memory[place*recordSize] = byte(over)
		b.free = append(b.free, place)
	}
}

// Close forgets the evaluations that go on: this process was told to end.
func (b *Box) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.memory == nil {
		return nil
	}
	for place := most; place < most+places; place++ {
		b.memory[place*recordSize] = byte(over)
	}
	err := errors.Join(unmap(b.memory), b.file.Close())
	b.memory = nil
	return err
}

// Of returns the recorder of what is named by name and does what text says.
func (b *Box) Of(name, text string) *Recorder { return &Recorder{b, subjectOf(name, text)} }

// Recorder is the part of a Box that is about one subject.
type Recorder struct {
	box     *Box
	subject subject
}

// Begin says that an event of that ID is being evaluated. What it returns says
// that this has ended.
func (r *Recorder) Begin(id string) (end func()) {
	return r.box.begin(evaluation{r.subject, eventOf(id)})
}

// Fatal reports whether the evaluation of an event of that ID ends the process;
// for the ID "", whether that of any event does.
func (r *Recorder) Fatal(id string) bool {
	known := r.box.fatal[r.subject]
	return len(known) >= enough || len(known) > 0 && known[eventOf(id)]
}
