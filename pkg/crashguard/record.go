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
	finished state = iota
	running
	// suspect: the process crashed during the evaluation.
	suspect
	// fatal: the process crashed twice during the evaluation.
	fatal
	// isActive: the group was active when the process ended.
	isActive
	// counted: the group was not active.
	counted
	// boot identifies the start of the machine.
	boot
)

// subjectHash identifies a subject: its name and the text of its CUE.
type subjectHash [24]byte

func hashSubject(name, text string) (h subjectHash) {
	sum := sha256.Sum256([]byte(name + "\x00" + text))
	copy(h[:], sum[:])
	return h
}

// eventHash identifies an event.
type eventHash [31]byte

func hashEvent(id string) (h eventHash) {
	sum := sha256.Sum256([]byte(id))
	copy(h[:], sum[:])
	return h
}

// evaluation is the evaluation of an event by a subject.
type evaluation struct {
	subject subjectHash
	event   eventHash
}

func compareEvaluations(a, b evaluation) int {
	return cmp.Or(bytes.Compare(a.subject[:], b.subject[:]), bytes.Compare(a.event[:], b.event[:]))
}

// record is the stored form of an evaluation.
type record struct {
	state state
	// count is the number of deaths of a group.
	count byte
	evaluation
}

const recordSize = 64

// encode writes r to b. It writes the state last, which makes the record valid.
func (r record) encode(b []byte) {
	b[1] = r.count
	copy(b[2:], r.subject[:])
	copy(b[26:], r.event[:])
	b[0] = byte(r.state)
}

// parse returns the valid records of data that are not finished.
func parse(data []byte) []record {
	var records []record
	for ; len(data) >= recordSize; data = data[recordSize:] {
		r := record{state(data[0]), data[1], evaluation{subjectHash(data[2:26]), eventHash(data[26:57])}}
		if r.state > finished && r.state <= boot {
			records = append(records, r)
		}
	}
	return records
}
