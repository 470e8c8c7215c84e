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
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Journal is a journal that is read.
type Journal struct {
	// Streams are the streams of all segments. Records is the number of records, and From
	// and To are the times of the first and the last one.
	Streams  map[Stream]bool
	Records  int
	From, To time.Time
	// Cut are the segments whose end was not written completely.
	Cut []string

	files   []string
	decoder *zstd.Decoder
}

// Block is some records of a Journal, in order.
type Block struct {
	journal *Journal
	file    string
	offset  int64
	streams []Stream
	content []byte
}

// Open opens the journal in a directory, or one segment of it. It reads what is in it, but
// not the records. The Journal must be closed.
func Open(path string) (*Journal, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	j := &Journal{Streams: map[Stream]bool{}, files: []string{path}}
	if info.IsDir() {
		all, err := list(path)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%s: no journal: no file ends in %s", path, extension)
		}
		j.files = nil
		for _, s := range all {
			j.files = append(j.files, s.path)
		}
	}
	for _, file := range j.files {
		if err := j.scan(file); err != nil {
			return nil, err
		}
	}
	j.decoder, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderConcurrency(0))
	return j, err
}

// Close releases the memory of the reader.
func (j *Journal) Close() { j.decoder.Close() }

// scan adds what is in a segment.
func (j *Journal) scan(file string) error {
	s, err := openSegment(file)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		kind, content, err := s.next(true)
		switch {
		case errors.Is(err, io.EOF):
			if s.cut {
				j.Cut = append(j.Cut, file)
			}
			return nil
		case err != nil:
			return err
		case kind == frameStream:
			j.Streams[s.streams[len(s.streams)-1]] = true
			continue
		}
		first, last, count := parseHeader(content)
		j.Records += count
		if j.From.IsZero() || first.Before(j.From) {
			j.From = first
		}
		if last.After(j.To) {
			j.To = last
		}
	}
}

// Blocks calls yield with each block, until it returns an error.
func (j *Journal) Blocks(yield func(Block) error) error {
	for _, file := range j.files {
		if err := j.blocks(file, yield); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) blocks(file string, yield func(Block) error) error {
	s, err := openSegment(file)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		kind, content, err := s.next(false)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case kind == frameRecords:
			if err := yield(Block{j, file, s.frame, s.streams, content}); err != nil {
				return err
			}
		}
	}
}

// Times returns the times of the first and the last record.
func (b Block) Times() (first, last time.Time) {
	first, last, _ = parseHeader(b.content)
	return first, last
}

// Records decodes the records. It may be called from any goroutine.
func (b Block) Records() ([]Record, error) {
	_, _, count := parseHeader(b.content)
	block, err := b.journal.decoder.DecodeAll(b.content[recordsHeader:], nil)
	if err != nil {
		return nil, &Error{b.file, b.offset, fmt.Errorf("%w: %w", ErrDamaged, err)}
	}
	records, err := decodeRecords(block, b.streams, count)
	if err != nil {
		return nil, &Error{b.file, b.offset, err}
	}
	return records, nil
}

// parseHeader returns what is before the records.
func parseHeader(content []byte) (first, last time.Time, count int) {
	at := func(b []byte) time.Time { return time.Unix(0, int64(binary.LittleEndian.Uint64(b))).UTC() }
	return at(content), at(content[8:]), int(binary.LittleEndian.Uint32(content[16:]))
}

// segmentReader reads the frames of a segment.
type segmentReader struct {
	file *os.File
	in   *bufio.Reader
	// size is the size of the file, offset the position in it, and frame that of the last
	// frame.
	size, offset, frame int64
	streams             []Stream
	// cut is set if the last frame is not complete.
	cut bool
}

func openSegment(path string) (*segmentReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &segmentReader{file: f, in: bufio.NewReaderSize(f, 64<<10)}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.size = info.Size()
	line := make([]byte, min(int64(len(magic)), s.size))
	if _, err := io.ReadFull(s.in, line); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if string(line) != magic[:len(line)] || !info.Mode().IsRegular() {
		return nil, errors.Join(&Error{path, 0, fmt.Errorf("not a journal: does not begin with %q", magic)}, f.Close())
	}
	s.offset = int64(len(line))
	s.cut = len(line) < len(magic)
	return s, nil
}

func (s *segmentReader) close() { _ = s.file.Close() } // it is only read

// damaged returns the error of the current frame.
func (s *segmentReader) damaged(format string, args ...any) error {
	return &Error{s.file.Name(), s.frame, fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)}
}

// next returns the next frame, of records only the header if scan is set. It returns io.EOF
// at the end.
func (s *segmentReader) next(scan bool) (kind byte, content []byte, err error) {
	s.frame = s.offset
	rest := s.size - s.offset
	if s.cut || rest < frameHeader {
		s.cut = s.cut || rest > 0
		return 0, nil, io.EOF
	}
	var header [frameHeader]byte
	if _, err := io.ReadFull(s.in, header[:]); err != nil {
		return 0, nil, &Error{s.file.Name(), s.frame, err}
	}
	kind = header[0]
	length, sum := int64(binary.LittleEndian.Uint32(header[1:])), binary.LittleEndian.Uint32(header[5:])
	switch {
	case kind == frameStream && length <= maxStream && len(s.streams) < maxStreams:
	case kind == frameRecords && length <= maxBlock && length >= recordsHeader:
	default:
		return 0, nil, s.damaged("no frame has type %q and length %d", kind, length)
	}
	if rest -= frameHeader; length > rest {
		s.cut = true
		return 0, nil, io.EOF
	}
	s.offset += frameHeader + length
	wanted := length
	if scan && kind == frameRecords {
		wanted = recordsHeader
	}
	content = make([]byte, wanted)
	if _, err := io.ReadFull(s.in, content); err != nil {
		return 0, nil, &Error{s.file.Name(), s.frame, err}
	}
	if wanted < length {
		if _, err := s.in.Discard(int(length - wanted)); err != nil {
			return 0, nil, &Error{s.file.Name(), s.frame, err}
		}
		return kind, content, nil
	}
	if checksum(content) != sum {
		if length == rest { // the last frame: its end was not written
			s.cut = true
			return 0, nil, io.EOF
		}
		return 0, nil, s.damaged("wrong checksum")
	}
	if kind == frameStream {
		var stream Stream
		if err := json.Unmarshal(content, &stream); err != nil {
			return 0, nil, s.damaged("%w", err)
		}
		s.streams = append(s.streams, stream)
	}
	return kind, content, nil
}
