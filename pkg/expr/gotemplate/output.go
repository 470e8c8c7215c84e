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

package gotemplate

import (
	"slices"
	"strings"
)

// output is what a template has written at a place.
type output struct {
	place Place
	state state
	parts []part
	// size is the size of all parts, in bytes.
	size int
}

// part is a text of the template itself, or a value.
type part struct {
	text string
	// value is what was escaped to text in the state before it; isValue is set if it can
	// be shortened.
	value   string
	before  state
	isValue bool
}

// addText adds a text of the template, or one that is escaped already.
func (o *output) addText(text string) {
	o.add(part{text: text})
}

// addValue adds a value and escapes it.
func (o *output) addValue(value string) {
	o.add(part{text: o.place.escape(value, o.state), value: value, before: o.state, isValue: true})
}

func (o *output) add(p part) {
	o.parts = append(o.parts, p)
	o.size += len(p.text)
	o.state = o.state.advance(o.place, p.text)
}

// String returns the output within the limit of its place. Values are shortened, the
// longest ones first, so that the text of the template with its markup remains.
func (o *output) String() string {
	limit, unit := o.place.limit()
	if unit == nil {
		return o.join(func(p part) string { return p.text })
	}
	rest, sizes := limit, []int(nil)
	for _, p := range o.parts {
		if p.isValue {
			sizes = append(sizes, unit.size(p.text))
		} else {
			rest -= unit.size(p.text)
		}
	}
	longest := share(sizes, rest)
	text := o.join(func(p part) string {
		if !p.isValue {
			return p.text
		}
		return p.shorten(o.place, longest, unit)
	})
	return cut(text, limit, unit)
}

func (o *output) join(text func(p part) string) string {
	var b strings.Builder
	for _, p := range o.parts {
		b.WriteString(text(p))
	}
	return b.String()
}

// share returns the largest size that each value may have so that all have at most
// total.
func share(sizes []int, total int) int {
	slices.Sort(sizes)
	largest := 0
	for i, size := range sizes {
		each := max(total, 0) / (len(sizes) - i)
		if size > each {
			return each
		}
		total -= size
		largest = size
	}
	return largest
}

// shorten returns the longest prefix of the value that has at most limit units when it
// is escaped.
func (p part) shorten(place Place, limit int, unit lengthUnit) string {
	if unit.size(p.text) <= limit {
		return p.text
	}
	// An escaped character has at least one unit.
	value, low, high := cut(p.value, limit, unit), 0, limit
	for low < high {
		middle := (low + high + 1) / 2
		if unit.size(place.escape(cut(value, middle, unit), p.before)) <= limit {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return place.escape(cut(value, low, unit), p.before)
}
