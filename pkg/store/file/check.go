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

package file

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"github.com/kubevela/kube-trigger/pkg/store"
	"github.com/kubevela/kube-trigger/pkg/store/internal/codec"
	"github.com/kubevela/kube-trigger/pkg/store/internal/migrate"
)

// The file format of bbolt, as far as a store uses it: version 2, in the byte order
// of the machine. Two meta pages contain a root each; the root of the later
// transaction is valid. bbolt does not verify a file, and crashes or loses records
// if it is damaged. Therefore the whole file is verified first.
const (
	pageSize    = 4096
	pageHeader  = 16 // id uint64, flags uint16, count uint16, overflow uint32
	elementSize = 16

	branchPage = 0x01
	leafPage   = 0x02
	metaPage   = 0x04

	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	metaChecksum = 56 // bytes before the checksum
	noFreelist   = 0xffffffffffffffff

	bucketElement = 0x01
	bucketHeader  = 16 // root uint64, sequence uint64
)

// meta is the content of a meta page.
type meta struct {
	root, pages, txid uint64
	freelist          uint64
}

// check returns the header of f, if f is a store of this format and has the key k, or of a
// format that can be converted, and is not damaged.
func check(f io.ReaderAt, k keyFile) (header, error) {
	var metas [2]meta
	for i := range metas {
		page := make([]byte, pageSize)
		if _, err := f.ReadAt(page, int64(i)*pageSize); err != nil {
			return header{}, readError(i, err)
		}
		m, err := readMeta(page, uint64(i))
		if err != nil {
			return header{}, err
		}
		metas[i] = m
	}
	m := metas[0]
	if metas[1].txid > m.txid {
		m = metas[1]
	}
	if m.freelist != noFreelist {
		return header{}, fmt.Errorf("a database of another program: %w", store.ErrForeign)
	}
	w := walker{file: f, meta: m, keyFile: k, visited: map[uint64]bool{0: true, 1: true}}
	if err := w.root(); err != nil {
		return header{}, err
	}
	if w.header == nil {
		return header{}, fmt.Errorf("no records: %w", store.ErrDamaged)
	}
	if w.header.Records != w.records {
		return header{}, fmt.Errorf("%d records, want %d: %w", w.records, w.header.Records, store.ErrDamaged)
	}
	if k.final && w.header.Format != format && w.records > 0 {
		return header{}, fmt.Errorf("format %d has no MACs, but the key file %s shows that they existed: %w", w.header.Format, k.name(), store.ErrDamaged)
	}
	return *w.header, nil
}

func readError(page int, err error) error {
	if errors.Is(err, io.EOF) && page == 0 {
		return fmt.Errorf("empty or short file: %w", store.ErrForeign)
	}
	return fmt.Errorf("page %d: %w: %w", page, store.ErrDamaged, err)
}

func readMeta(page []byte, id uint64) (meta, error) {
	n := binary.NativeEndian
	b := page[pageHeader:]
	if n.Uint32(b) != metaMagic || n.Uint32(b[4:]) != metaVersion {
		if id == 0 {
			return meta{}, fmt.Errorf("a file of another kind: %w", store.ErrForeign)
		}
		return meta{}, fmt.Errorf("page %d: no root: %w", id, store.ErrDamaged)
	}
	sum := fnv.New64a()
	sum.Write(b[:metaChecksum])
	if sum.Sum64() != n.Uint64(b[metaChecksum:]) || n.Uint64(page) != id || n.Uint16(page[8:]) != metaPage {
		return meta{}, fmt.Errorf("page %d: root: %w", id, store.ErrDamaged)
	}
	if n.Uint32(b[8:]) != pageSize {
		return meta{}, fmt.Errorf("a database of another program: %w", store.ErrForeign)
	}
	return meta{root: n.Uint64(b[16:]), freelist: n.Uint64(b[32:]), pages: n.Uint64(b[40:]), txid: n.Uint64(b[48:])}, nil
}

// walker visits all records once, in the order of their keys.
type walker struct {
	file    io.ReaderAt
	meta    meta
	keyFile keyFile
	visited map[uint64]bool
	lastKey []byte
	header  *header
	records int
}

// root visits the records of the only bucket.
func (w *walker) root() error {
	p, err := w.page(w.meta.root)
	if err != nil {
		return err
	}
	if p.flags != leafPage || p.count != 1 {
		return fmt.Errorf("a database of another program: %w", store.ErrForeign)
	}
	e, err := p.leaf(0)
	if err != nil {
		return err
	}
	if e.flags != bucketElement || string(e.key) != bucketName {
		return fmt.Errorf("a database of another program: %w", store.ErrForeign)
	}
	if len(e.value) < bucketHeader {
		return p.damaged("bucket of %d bytes", len(e.value))
	}
	root := binary.NativeEndian.Uint64(e.value)
	if root != 0 {
		return w.tree(root, nil, nil)
	}
	inline, err := parsePage(p.id, e.value[bucketHeader:])
	if err != nil {
		return err
	}
	if inline.flags != leafPage {
		return p.damaged("inline page of kind %#x", inline.flags)
	}
	return w.leaves(inline, nil, nil)
}

// page reads a page. Each page must be reachable once only.
func (w *walker) page(id uint64) (page, error) {
	buf := make([]byte, pageSize)
	if id >= w.meta.pages || w.visited[id] {
		return page{}, fmt.Errorf("page %d: out of place: %w", id, store.ErrDamaged)
	}
	if _, err := w.file.ReadAt(buf, int64(id)*pageSize); err != nil {
		return page{}, readError(int(id), err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(buf[12:]))
	if overflow >= w.meta.pages-id {
		return page{}, fmt.Errorf("page %d: %d pages long: %w", id, overflow+1, store.ErrDamaged)
	}
	for i := range overflow + 1 {
		if w.visited[id+i] {
			return page{}, fmt.Errorf("page %d: out of place: %w", id+i, store.ErrDamaged)
		}
		w.visited[id+i] = true
	}
	if overflow > 0 {
		// A page cannot exceed the file. Read its last byte before allocating it.
		if _, err := w.file.ReadAt(make([]byte, 1), int64(id+overflow+1)*pageSize-1); err != nil {
			return page{}, readError(int(id+overflow), err)
		}
		buf = make([]byte, (overflow+1)*pageSize)
		if _, err := w.file.ReadAt(buf, int64(id)*pageSize); err != nil {
			return page{}, readError(int(id), err)
		}
	}
	if got := binary.NativeEndian.Uint64(buf); got != id {
		return page{}, fmt.Errorf("page %d: has the number %d: %w", id, got, store.ErrDamaged)
	}
	return parsePage(id, buf)
}

// tree visits a page and its children. All keys must be in [low, high); nil high
// is unbounded.
func (w *walker) tree(id uint64, low, high []byte) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if p.flags == leafPage {
		return w.leaves(p, low, high)
	}
	if p.count == 0 {
		return p.damaged("no branches")
	}
	key, child, err := p.branch(0)
	if err != nil {
		return err
	}
	for i := 1; i <= p.count; i++ {
		next, nextChild, above := []byte(nil), uint64(0), high
		if i < p.count {
			if next, nextChild, err = p.branch(i); err != nil {
				return err
			}
			above = next
		}
		if err := w.tree(child, key, above); err != nil {
			return err
		}
		key, child = next, nextChild
	}
	return nil
}

// leaves checks the records of a page.
func (w *walker) leaves(p page, low, high []byte) error {
	for i := range p.count {
		e, err := p.leaf(i)
		switch {
		case err != nil:
			return err
		case e.flags != 0:
			return p.damaged("record %q of kind %#x", e.key, e.flags)
		case w.lastKey != nil && bytes.Compare(e.key, w.lastKey) <= 0, bytes.Compare(e.key, low) < 0, high != nil && bytes.Compare(e.key, high) >= 0:
			return p.damaged("record %q out of order", e.key)
		}
		w.lastKey = bytes.Clone(e.key)
		if w.header == nil {
			if err := w.readHeader(p, e); err != nil {
				return err
			}
			continue
		}
		if err := w.verify(e); err != nil {
			return p.damaged("record %q: %w", e.key, err)
		}
		w.records++
	}
	return nil
}

// readHeader reads the first record. Its format says how the records are verified.
func (w *walker) readHeader(p page, e element) error {
	var h header
	// What follows the JSON depends on the format.
	if err := json.NewDecoder(bytes.NewReader(e.value)).Decode(&h); err != nil || len(e.key) != 1 || e.key[0] != headerKey {
		return p.damaged("first record %q is not a header", e.key)
	}
	w.header = &h
	switch {
	case h.Format > format || h.Format < migrate.Format:
		return fmt.Errorf("format %d, want %d: %w", h.Format, format, store.ErrForeign)
	case h.Format == format && w.keyFile.key == nil:
		return fmt.Errorf("the key file %s is missing; restore it, or move the store away: %w", w.keyFile.name(), store.ErrDamaged)
	}
	if err := w.verify(e); err != nil {
		if h.Format == format {
			return fmt.Errorf("header: the key in %s is not that of the store, or the header is forged: %w", w.keyFile.name(), err)
		}
		return p.damaged("header: %w", err)
	}
	return nil
}

// verify returns an error unless e is as the store has written it.
func (w *walker) verify(e element) error {
	var err error
	if w.header.Format == format {
		_, err = w.keyFile.key.open(e.key, e.value)
	} else {
		_, err = codec.VerifyChecksum(e.value, e.key...)
	}
	return err
}
