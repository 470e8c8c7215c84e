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

// Package journal keeps the events that sources deliver, so that triggers can be tried on
// what has happened.
//
// A journal is a directory of segments, files that are only appended to. They and the
// directory can be read by their user alone. When the segments exceed the journal's size,
// the oldest one goes first. Values of Secrets are left out.
//
//   - A segment begins with a line that names the format. Frames follow: a byte with the
//     type, the length and the checksum (CRC-32C) of the content, each in four bytes, and the
//     content. A frame of type 's' is a Stream as JSON. One of type 'r' has the times of its
//     first and its last record, their number, and the records, compressed with zstd.
//   - Records are written at most flushDelay after they were appended, and when there are
//     blockSize bytes of them. A crash loses no others.
//   - A segment whose end was not written completely is read up to there. Any other damage is
//     an Error with the file and the offset.
//   - A reader needs memory for a few blocks, whatever is in the files.
package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/source"
)

const (
	// DefaultMaxSize is the default of the size of a journal, in bytes.
	DefaultMaxSize = 256 << 20
	// MinMaxSize is the least size that can be asked for.
	MinMaxSize = 1 << 20
	// MaxRecord is the maximum size of a record, in bytes.
	MaxRecord = 8 << 20

	// segments is the number of segments that a full journal has.
	segments = 8
	// blockSize is the size from which on records are compressed and written.
	blockSize = 256 << 10
	// maxBlock is the maximum size of a block, before and after compression.
	maxBlock = blockSize + 2*MaxRecord
	// maxStream is the maximum size of a stream frame, and maxStreams the maximum number of
	// streams in a segment.
	maxStream, maxStreams = 64 << 10, 1 << 16
	// flushDelay is the time after which records are written although they are few.
	flushDelay = time.Second

	magic     = "kube-trigger journal 1\n"
	extension = ".ktj"
)

// The types of frames, and the size of what is before their content.
const (
	frameStream  = 's'
	frameRecords = 'r'
	frameHeader  = 1 + 4 + 4
	// recordsHeader is the size of the times and the number of records.
	recordsHeader = 8 + 8 + 4
)

// checksum returns the checksum of the content of a frame.
func checksum(content []byte) uint32 {
	return crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli)) // the table is made once
}

// ErrDamaged means that a journal was changed after it was written.
var ErrDamaged = errors.New("the journal is damaged")

// Error is an error in a file.
type Error struct {
	File   string
	Offset int64
	Err    error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: byte %d: %v", e.File, e.Offset, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Stream identifies the source of a record: triggers with the same type and the same key of
// a subscription share it, as long as one Writer writes.
type Stream struct {
	Source string `json:"source"`
	Key    string `json:"key"`
	// Session is the number of the first segment of the Writer, which sets it.
	Session int `json:"session"`
}

// Field is a field of an object, with its value as JSON.
type Field struct {
	Name string
	JSON []byte
}

// Record is an event as it was delivered. Data is nil if the event has none. Old is JSON; empty
// for nil.
type Record struct {
	Stream                         Stream
	Time                           time.Time
	Type, ID, Cluster, Key, Writer string
	Unchanged                      []string
	Data                           []Field
	Old                            []byte
}

// Occurrence returns the event, with those fields of its data of which fields has something.
func (r *Record) Occurrence(fields expr.FieldSet) (o source.Occurrence, err error) {
	o = source.Occurrence{
		Event: event.Event{
			Source: r.Stream.Source, Type: r.Type, ID: r.ID, Cluster: r.Cluster, Key: r.Key, Time: r.Time,
		},
		Delivery: source.Delivery{Writer: r.Writer, Unchanged: r.Unchanged},
	}
	if r.Data != nil {
		o.Event.Data = make(map[string]any, len(r.Data))
	}
	for _, f := range r.Data {
		if fields.Under(f.Name).Empty() {
			continue
		}
		if o.Event.Data[f.Name], err = number.Unmarshal(f.JSON); err != nil {
			return o, fmt.Errorf("field %q of event %q: %w", f.Name, r.ID, err)
		}
	}
	if len(r.Old) > 0 {
		if o.Event.Old, err = number.UnmarshalObject(r.Old); err != nil {
			return o, fmt.Errorf("old data of event %q: %w", r.ID, err)
		}
	}
	return o, nil
}
