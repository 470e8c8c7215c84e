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

package redact

import (
	"encoding/binary"
	"strings"
)

const (
	// windowLength is the number of consecutive bytes of a form that are found, in bytes.
	windowLength = 8
	// scheme is the only window that is never hidden: it says nothing.
	scheme = "https://"
)

// search finds values in one text.
type search struct {
	text string
	// hidden is set for each byte of text that belongs to a value. Values may overlap.
	hidden []bool
	// positions has the last position of each window of text, and previous the position
	// before it of the same window, or -1.
	positions map[uint64]int
	previous  []int
	// filter has a bit for the hash of each window: most windows of values are not in text.
	filter [1 << 10]uint64
	// short has the forms that are shorter than a window and occur in text.
	short map[string]struct{}
}

func newSearch(text string) *search {
	s := &search{text: text, hidden: make([]bool, len(text)), positions: map[uint64]int{}, short: map[string]struct{}{}}
	for i := 0; i+windowLength <= len(text); i++ {
		w := window(text, i)
		last, ok := s.positions[w]
		if !ok {
			last = -1
			h := hash(w)
			s.filter[h>>6] |= 1 << (h & 63)
		}
		s.previous = append(s.previous, last)
		s.positions[w] = i
	}
	return s
}

// window returns the bytes of text from i as a number.
func window(text string, i int) uint64 {
	return binary.LittleEndian.Uint64([]byte(text[i : i+windowLength]))
}

// hash returns a hash of 16 bits.
func hash(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 >> 48 }

// find hides forms. Forms shorter than length are not hidden.
func (s *search) find(forms []form, length int) {
	for _, f := range forms {
		switch {
		case len(f.text) < length || strings.Trim(f.text, "/") == "":
		case len(f.text) < windowLength:
			s.short[f.text] = struct{}{}
		case f.whole:
			s.hideWhole(f.text)
		default:
			s.hideWindows(f.text)
		}
	}
}

// hideWindows hides each window of form.
func (s *search) hideWindows(form string) {
	for i := 0; i+windowLength <= len(form); i++ {
		w := window(form, i)
		if !s.mayContain(w) || form[i:i+windowLength] == scheme {
			continue
		}
		position, ok := s.positions[w]
		if !ok {
			continue
		}
		// All positions of the window are hidden once: it is not searched again.
		for ; position >= 0; position = s.previous[position] {
			s.hide(position, windowLength)
		}
		delete(s.positions, w)
	}
}

// mayContain returns false for most windows that do not occur in the text.
func (s *search) mayContain(w uint64) bool {
	h := hash(w)
	return s.filter[h>>6]&(1<<(h&63)) != 0
}

// hideWhole hides form, and none of its parts.
func (s *search) hideWhole(form string) {
	if !s.mayContain(window(form, 0)) {
		return
	}
	for from := 0; ; {
		i := strings.Index(s.text[from:], form)
		if i < 0 {
			return
		}
		s.hide(from+i, len(form))
		from += i + len(form)
	}
}

// hideShort hides the forms that are shorter than a window.
func (s *search) hideShort() {
	if len(s.short) == 0 {
		return
	}
	for i := range len(s.text) {
		for n := 1; n < windowLength && i+n <= len(s.text); n++ {
			if _, ok := s.short[s.text[i:i+n]]; ok {
				s.hide(i, n)
			}
		}
	}
}

func (s *search) hide(position, length int) {
	for i := range length {
		s.hidden[position+i] = true
	}
}

// redacted returns the text with a placeholder for each hidden part.
func (s *search) redacted() string {
	s.hideShort()
	var b strings.Builder
	for i := range len(s.text) {
		if !s.hidden[i] {
			b.WriteByte(s.text[i])
		} else if i == 0 || !s.hidden[i-1] {
			b.WriteString(placeholder)
		}
	}
	return b.String()
}
