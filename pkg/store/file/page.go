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
	"encoding/binary"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/store"
)

// page is a page of a bbolt file. Its elements are not verified yet.
type page struct {
	id    uint64
	flags uint16
	count int
	buf   []byte
}

// element is an element of a leaf page.
type element struct {
	flags      uint32
	key, value []byte
}

// parsePage verifies the header of a branch or leaf page.
func parsePage(id uint64, buf []byte) (page, error) {
	p := page{id: id, buf: buf}
	if len(buf) < pageHeader {
		return page{}, p.damaged("%d bytes long", len(buf))
	}
	p.flags = binary.NativeEndian.Uint16(buf[8:])
	p.count = int(binary.NativeEndian.Uint16(buf[10:]))
	if p.flags != branchPage && p.flags != leafPage {
		return page{}, p.damaged("kind %#x", p.flags)
	}
	if pageHeader+p.count*elementSize > len(buf) {
		return page{}, p.damaged("%d elements", p.count)
	}
	return p, nil
}

func (p page) damaged(format string, args ...any) error {
	return fmt.Errorf("page %d: %w: %w", p.id, fmt.Errorf(format, args...), store.ErrDamaged)
}

// leaf returns element i of a leaf page.
func (p page) leaf(i int) (element, error) {
	offset := pageHeader + i*elementSize
	b := p.buf[offset:]
	n := binary.NativeEndian
	key, err := p.slice(uint64(offset)+uint64(n.Uint32(b[4:])), uint64(n.Uint32(b[8:])))
	if err != nil {
		return element{}, err
	}
	value, err := p.slice(uint64(offset)+uint64(n.Uint32(b[4:]))+uint64(len(key)), uint64(n.Uint32(b[12:])))
	return element{n.Uint32(b), key, value}, err
}

// branch returns element i of a branch page.
func (p page) branch(i int) (key []byte, child uint64, err error) {
	offset := pageHeader + i*elementSize
	b := p.buf[offset:]
	n := binary.NativeEndian
	key, err = p.slice(uint64(offset)+uint64(n.Uint32(b)), uint64(n.Uint32(b[4:])))
	return key, n.Uint64(b[8:]), err
}

// slice returns size bytes at offset, which must be behind the page's elements.
func (p page) slice(offset, size uint64) ([]byte, error) {
	if offset < pageHeader+uint64(p.count)*elementSize || offset+size > uint64(len(p.buf)) {
		return nil, p.damaged("element from %d to %d", offset, offset+size)
	}
	return p.buf[offset : offset+size], nil
}
