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

package blackbox

import (
	"crypto/sha256"
	"encoding/binary"
)

// state is the first byte of a record.
type state byte

const (
	over state = iota
	running
	// suspect: a process ended meanwhile.
	suspect
	// fatal: so did the next.
	fatal
)

// subject stands for what evaluates, and the text of it.
type subject [24]byte

func subjectOf(name, text string) (s subject) {
	sum := sha256.Sum256([]byte(name + "\x00" + text))
	copy(s[:], sum[:])
	return s
}

// occasion stands for an event.
type occasion [31]byte

func eventOf(id string) (o occasion) {
	sum := sha256.Sum256([]byte(id))
	copy(o[:], sum[:])
	return o
}

// record is an evaluation: a state, when it began in nanoseconds, and of what.
type record struct {
	state   state
	began   int64
	subject subject
	event   occasion
}

const recordSize = 64

func (r record) bytes() []byte {
	b := make([]byte, 0, recordSize)
	b = append(b, byte(r.state))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.began)) //nolint:gosec // it comes back the same way
	b = append(b, r.subject[:]...)
	return append(b, r.event[:]...)
}

// parse returns the records that are not over. What is no record is left out.
func parse(text []byte) []record {
	var all []record
	for ; len(text) >= recordSize; text = text[recordSize:] {
		r := record{
			state:   state(text[0]),
			began:   int64(binary.LittleEndian.Uint64(text[1:])), //nolint:gosec // see bytes
			subject: subject(text[9:33]),
			event:   occasion(text[33:64]),
		}
		if r.state > over && r.state <= fatal {
			all = append(all, r)
		}
	}
	return all
}
