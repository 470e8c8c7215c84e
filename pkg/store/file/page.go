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

// page is a page of a bbolt file whose elements are not trusted.
type page struct {
	id    uint64
	flags uint16
	count int
	buf   []byte
}

// element is one record of a leaf.
type element struct {
	flags      uint32
	key, value []byte
}

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

// leaf returns the ith element of a leaf.
func (p page) leaf(i int) (element, error) {
	at := pageHeader + i*elementSize
	b := p.buf[at:]
	n := binary.NativeEndian
	key, err := p.slice(uint64(at)+uint64(n.Uint32(b[4:])), uint64(n.Uint32(b[8:])))
	if err != nil {
		return element{}, err
	}
	value, err := p.slice(uint64(at)+uint64(n.Uint32(b[4:]))+uint64(len(key)), uint64(n.Uint32(b[12:])))
	return element{n.Uint32(b), key, value}, err
}

// branch returns the ith element of a branch.
func (p page) branch(i int) (key []byte, child uint64, err error) {
	at := pageHeader + i*elementSize
	b := p.buf[at:]
	n := binary.NativeEndian
	key, err = p.slice(uint64(at)+uint64(n.Uint32(b)), uint64(n.Uint32(b[4:])))
	return key, n.Uint64(b[8:]), err
}

func (p page) slice(from, size uint64) ([]byte, error) {
	if from < pageHeader+uint64(p.count)*elementSize || from+size > uint64(len(p.buf)) {
		return nil, p.damaged("element from %d to %d", from, from+size)
	}
	return p.buf[from : from+size], nil
}
