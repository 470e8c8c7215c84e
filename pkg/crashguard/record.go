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
	"bytes"
	"cmp"
	"crypto/sha256"
)

// state is the first byte of a record.
type state byte

const (
	over state = iota
	running
	// suspect: processes ended meanwhile.
	suspect
	// fatal: it was what ended them.
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

// evaluation is one of an event by a subject.
type evaluation struct {
	subject subject
	event   occasion
}

func compare(a, b evaluation) int {
	return cmp.Or(bytes.Compare(a.subject[:], b.subject[:]), bytes.Compare(a.event[:], b.event[:]))
}

// record is an evaluation, its state, and how many processes in a row have ended
// during it.
type record struct {
	state  state
	deaths byte
	evaluation
}

const recordSize = 64

// put writes r to b. The state comes last: without it there is no record.
func (r record) put(b []byte) {
	b[1] = r.deaths
	copy(b[2:], r.subject[:])
	copy(b[26:], r.event[:])
	b[0] = byte(r.state)
}

// parse returns the records that are not over. What is no record is left out.
func parse(text []byte) []record {
	var all []record
	for ; len(text) >= recordSize; text = text[recordSize:] {
		r := record{state(text[0]), text[1], evaluation{subject(text[2:26]), occasion(text[26:57])}}
		if r.state > over && r.state <= fatal {
			all = append(all, r)
		}
	}
	return all
}
