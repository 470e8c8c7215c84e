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
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Writer appends records to a journal. It is safe for concurrent use. One Writer at a time
// may write to a directory.
type Writer struct {
	dir     string
	maxSize int64
	encoder *zstd.Encoder

	mu sync.Mutex
	// file is the current segment; nil before its first record. size is its size, and number
	// that of the segment.
	file   *os.File
	size   int64
	number int
	// session is the number of the Writer's first segment.
	session int
	// old are the earlier segments, the oldest first.
	old []segment
	// streams has the indexes of the streams of the segment.
	streams map[Stream]int
	// block has the records that are not written yet.
	block       []byte
	count       int
	first, last int64
	timer       *time.Timer
	closed      bool
	// err is the error of a write that no Append has returned.
	err error
}

// segment is a file of a journal.
type segment struct {
	path string
	size int64
}

// Create returns a Writer of the journal in a directory, which it makes if there is none. It
// continues the journal that is there. The segments take at most maxSize bytes.
func Create(dir string, maxSize int64) (*Writer, error) {
	if maxSize < MinMaxSize {
		return nil, fmt.Errorf("size %d: must be at least %d", maxSize, MinMaxSize)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, maxSize: maxSize, streams: map[Stream]int{}}
	var err error
	if w.old, err = list(dir); err != nil {
		return nil, err
	}
	if n := len(w.old); n > 0 {
		name := strings.TrimSuffix(filepath.Base(w.old[n-1].path), extension)
		if _, err := fmt.Sscanf(name, "%d", &w.number); err != nil {
			return nil, fmt.Errorf("%s: the name is not that of a segment: %w", w.old[n-1].path, err)
		}
	}
	w.session = w.number + 1
	w.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	return w, err
}

// list returns the segments in a directory, the oldest first.
func list(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != extension {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, segment{filepath.Join(dir, e.Name()), info.Size()})
	}
	return all, nil
}

// Append appends a record. The error may be that of earlier records, which are then lost.
func (w *Writer) Append(r Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errors.New("the journal is closed")
	}
	if err := w.err; err != nil {
		w.err = nil
		return err
	}
	size := len(r.Old)
	for _, f := range r.Data {
		size += len(f.Name) + len(f.JSON)
	}
	if size > MaxRecord/2 {
		return fmt.Errorf("event %q: %d bytes are too large for a record", r.ID, size)
	}
	if w.file == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	r.Stream.Session = w.session
	index, ok := w.streams[r.Stream]
	if !ok {
		text, err := json.Marshal(r.Stream)
		if err != nil {
			return err
		}
		if len(text) > maxStream || len(w.streams) >= maxStreams {
			return fmt.Errorf("source %.100q: the journal has no place for it", r.Stream.Key)
		}
		if err := w.write(frameStream, text); err != nil {
			return err
		}
		index = len(w.streams)
		w.streams[r.Stream] = index
	}
	now := r.Time.UnixNano()
	if w.count == 0 {
		w.first, w.last = now, 0
		w.timer = time.AfterFunc(flushDelay, w.flushLater)
	}
	w.block = appendRecord(w.block, &r, index, w.last)
	w.count, w.last = w.count+1, now
	if len(w.block) < blockSize {
		return nil
	}
	return w.flush()
}

// flushLater flushes what was appended a while ago.
func (w *Writer) flushLater() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, w.flush())
}

// Close writes what is not written yet.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	err := errors.Join(w.err, w.flush())
	w.closed = true
	if w.file != nil {
		err = errors.Join(err, w.file.Sync(), w.file.Close())
	}
	return errors.Join(err, w.encoder.Close())
}

// flush writes the block, and ends the segment if it is full.
func (w *Writer) flush() error {
	if w.count == 0 {
		return nil
	}
	w.timer.Stop()
	content := binary.LittleEndian.AppendUint64(nil, uint64(w.first))
	content = binary.LittleEndian.AppendUint64(content, uint64(w.last))
	content = binary.LittleEndian.AppendUint32(content, uint32(w.count))
	content = w.encoder.EncodeAll(w.block, content)
	w.block, w.count = w.block[:0], 0
	if err := w.write(frameRecords, content); err != nil {
		return err
	}
	if w.size < w.maxSize/segments {
		return w.prune()
	}
	return errors.Join(w.end(), w.prune())
}

// write writes a frame. After an error, the segment is ended.
func (w *Writer) write(kind byte, content []byte) error {
	frame := append(make([]byte, 0, frameHeader+len(content)), kind)
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(content)))
	frame = binary.LittleEndian.AppendUint32(frame, checksum(content))
	n, err := w.file.Write(append(frame, content...))
	w.size += int64(n)
	if err != nil {
		w.block, w.count = w.block[:0], 0 // they refer to streams of this segment
		return errors.Join(err, w.end())
	}
	return nil
}

// open begins the next segment.
func (w *Writer) open() (err error) {
	w.number++
	path := filepath.Join(w.dir, fmt.Sprintf("%012d%s", w.number, extension))
	if w.file, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		w.file = nil
		return err
	}
	n, err := w.file.WriteString(magic)
	w.size = int64(n)
	clear(w.streams)
	if err != nil {
		return errors.Join(err, w.end())
	}
	return nil
}

// end ends the segment.
func (w *Writer) end() error {
	w.old = append(w.old, segment{w.file.Name(), w.size})
	err := w.file.Close()
	w.file, w.size = nil, 0
	return err
}

// prune removes the oldest segments while the journal is too large.
func (w *Writer) prune() error {
	total := w.size
	for _, s := range w.old {
		total += s.size
	}
	var errs []error
	w.old = slices.DeleteFunc(w.old, func(s segment) bool {
		if total <= w.maxSize {
			return false
		}
		total -= s.size
		if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		return true
	})
	return errors.Join(errs...)
}
