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
//   - When a process ended during the same evaluation as the one before it, that
//     evaluation is fatal: no process that is told to end, or killed by chance,
//     makes one so but in the rarest of cases. Of several, the one that began
//     first counts.
//   - What is fatal stays so for as long as the text of the CUE stays. Three that
//     are make all of the subject so, since each has cost two processes.
//   - It outlives the process, not a loss of power; and where its file cannot be
//     written, it remembers nothing. It never fails an evaluation.
package blackbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// most is how many fatal evaluations are remembered.
	most = 100
	// enough is how many of one subject make all of it fatal.
	enough = 3
)

// Box is one file. It is safe for concurrent use.
type Box struct {
	mu    sync.Mutex
	file  *os.File
	fatal map[subject]map[occasion]bool
	// free are the places of records that are over; those before kept are not
	// of this process, and new ones go to size.
	free       []int64
	kept, size int64
}

// Open reads what the process before has left at path, and begins anew. One
// process at a time may use it.
func Open(path string) (*Box, error) {
	left, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read evaluations: %w", err)
	}
	kept := judge(parse(left))
	b := &Box{fatal: map[subject]map[occasion]bool{}}
	var text []byte
	for _, r := range kept {
		text = append(text, r.bytes()...)
		if r.state == fatal {
			if b.fatal[r.subject] == nil {
				b.fatal[r.subject] = map[occasion]bool{}
			}
			b.fatal[r.subject][r.event] = true
		}
	}
	// Never half of it: the process may end here, too.
	fresh := path + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	b.kept, b.size = int64(len(text)), int64(len(text))
	if b.file, err = os.OpenFile(path, os.O_WRONLY, 0); err != nil {
		return nil, fmt.Errorf("remember evaluations: %w", err)
	}
	return b, nil
}

// judge returns what is to be kept of what a process has left.
func judge(left []record) []record {
	var kept, suspects []record
	var oldest *record
	for _, r := range left {
		switch {
		case r.state == fatal:
			kept = append(kept, r)
		case r.state == suspect:
			suspects = append(suspects, r)
		case oldest == nil || r.began < oldest.began:
			oldest = &r
		}
	}
	if oldest != nil {
		verdict := *oldest
		verdict.state = suspect
		if slices.ContainsFunc(suspects, func(s record) bool { return s.subject == oldest.subject && s.event == oldest.event }) {
			verdict.state = fatal
		}
		kept = append(kept, verdict)
	}
	slices.SortFunc(kept, func(a, b record) int { return cmp.Compare(b.began, a.began) })
	return kept[:min(len(kept), most)]
}

// begin notes a record, and returns what forgets it.
func (b *Box) begin(r record) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return func() {}
	}
	at := b.size
	if n := len(b.free); n > 0 {
		at, b.free = b.free[n-1], b.free[:n-1]
	} else {
		b.size += recordSize
	}
	_, _ = b.file.WriteAt(r.bytes(), at)
	return func() { b.end(at) }
}

func (b *Box) end(at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return
	}
	_, _ = b.file.WriteAt([]byte{byte(over)}, at)
	b.free = append(b.free, at)
}

// Close says that the process was told to end. What still runs is no suspect.
func (b *Box) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	var errs []error
	for at := b.kept; at < b.size; at += recordSize {
		_, err := b.file.WriteAt([]byte{byte(over)}, at)
		errs = append(errs, err)
	}
	errs = append(errs, b.file.Close())
	b.file = nil
	return errors.Join(errs...)
}

// Of returns the recorder of what is named by name and does what text says.
func (b *Box) Of(name, text string) *Recorder { return &Recorder{b, subjectOf(name, text)} }

// Recorder is the part of a Box that is about one subject.
type Recorder struct {
	box     *Box
	subject subject
}

// Begin says that an event of that ID is evaluated. What it returns says that
// the evaluation has ended.
func (r *Recorder) Begin(id string) (end func()) {
	return r.box.begin(record{running, time.Now().UnixNano(), r.subject, eventOf(id)})
}

// Fatal reports whether the evaluation of an event of that ID is fatal; of the
// ID "", whether that of each is.
func (r *Recorder) Fatal(id string) bool {
	known := r.box.fatal[r.subject]
	return len(known) >= enough || len(known) > 0 && known[eventOf(id)]
}
