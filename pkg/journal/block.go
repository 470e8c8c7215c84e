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

package journal

import (
	"encoding/binary"
	"fmt"
	"time"
)

// appendRecord appends r, whose stream has the index, to a block whose last record has the
// time last.
func appendRecord(b []byte, r *Record, stream int, last int64) []byte {
	b = binary.AppendUvarint(b, uint64(stream))
	b = binary.AppendVarint(b, r.Time.UnixNano()-last)
	for _, s := range []string{r.Type, r.ID, r.Cluster, r.Key, r.Writer} {
		b = appendBytes(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Unchanged)))
	for _, s := range r.Unchanged {
		b = appendBytes(b, s)
	}
	b = appendBytes(b, r.Old)
	if r.Data == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Data))+1)
	for _, f := range r.Data {
		b = appendBytes(appendBytes(b, f.Name), f.JSON)
	}
	return b
}

func appendBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// The least sizes of a record, which has ten numbers and lengths, and of a field, which has two:
// what is allocated for a count is limited by the bytes that are there.
const minRecord, minField = 10, 2

// decoder decodes the records of a block. After the first problem, it returns zero values.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) fail() { d.rest, d.failed = nil, true }

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// bytes returns the next bytes, which share the memory of the block.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	v := d.rest[:n:n]
	d.rest = d.rest[n:]
	return v
}

// decodeRecords decodes a block of records of these streams. The records share its memory.
func decodeRecords(block []byte, streams []Stream, count int) ([]Record, error) {
	var (
		d       = decoder{rest: block}
		last    int64
		records = make([]Record, 0, min(count, len(block)/minRecord))
	)
	for len(d.rest) > 0 {
		var r Record
		stream := d.uvarint()
		if stream >= uint64(len(streams)) {
			d.fail()
			break
		}
		r.Stream = streams[stream]
		last += d.varint()
		r.Time = time.Unix(0, last).UTC()
		for _, s := range []*string{&r.Type, &r.ID, &r.Cluster, &r.Key, &r.Writer} {
			*s = string(d.bytes())
		}
		n := d.uvarint()
		if n > uint64(len(d.rest)) {
			d.fail()
			break
		}
		for range n {
			r.Unchanged = append(r.Unchanged, string(d.bytes()))
		}
		r.Old = d.bytes()
		if n = d.uvarint(); n > uint64(len(d.rest)/minField)+1 {
			d.fail()
			break
		}
		if n > 0 {
			r.Data = make([]Field, n-1)
		}
		for i := range r.Data {
			r.Data[i] = Field{string(d.bytes()), d.bytes()}
		}
		records = append(records, r)
	}
	if d.failed || len(records) != count {
		return nil, fmt.Errorf("records: %w", ErrDamaged)
	}
	return records, nil
}
