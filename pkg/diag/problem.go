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

// Package problem says what is wrong in what a user wrote, and where. Every
// check returns all problems it finds, not the first.
package diag

import (
	"fmt"
	"strings"
)

// Diagnostic is one thing that is wrong.
type Diagnostic struct {
	// Path is the field, below whatever was checked: "properties.events[1]".
	// It is empty where the whole is meant.
	Path string
	// Line and Column, both from 1, are the place within the text that stands
	// at Path. They are 0 where Path does not hold a text, or no place is known.
	Line, Column int
	// Message says what is wrong and what would be right, in lower case.
	Message string
}

// String returns "path:line:column: message", without the parts that are empty.
func (p Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(p.Path)
	if p.Line > 0 {
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%d:%d", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// List is all that is wrong with one thing; nil when nothing is.
type List []Diagnostic

// Error returns one problem a line.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns l as an error, or nil where it is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Add appends a problem at path.
func (l *List) Add(path, format string, args ...any) {
	*l = append(*l, Diagnostic{Path: path, Message: fmt.Sprintf(format, args...)})
}

// WithPrefix returns l with prefix before every path: "filter", "triggers[3]".
func (l List) WithPrefix(prefix string) List {
	out := make(List, len(l))
	for i, p := range l {
		p.Path = Join(prefix, p.Path)
		out[i] = p
	}
	return out
}

// Join joins two field paths; either may be empty.
func Join(prefix, path string) string {
	if prefix == "" || path == "" || path[0] == '[' {
		return prefix + path
	}
	return prefix + "." + path
}

// Nearest returns the candidate that got most likely was meant to be, or ""
// where none is close: more than a third of it would have to change.
func Nearest(got string, candidates []string) string {
	best, distance := "", len(got)/3+1
	for _, c := range candidates {
		if d := levenshtein(strings.ToLower(got), strings.ToLower(c)); d <= distance && (best == "" || d < distance) {
			best, distance = c, d
		}
	}
	return best
}

// Suggest returns `; did you mean "x"?` for the nearest candidate, or "".
func Suggest(got string, candidates []string) string {
	if n := Nearest(got, candidates); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// levenshtein returns the number of single-rune edits between a and b.
func levenshtein(a, b string) int {
	s, t := []rune(a), []rune(b)
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		prev := row[0]
		row[0] = i + 1
		for j := range t {
			cost := prev
			if s[i] != t[j] {
				cost = 1 + min(prev, row[j], row[j+1])
			}
			prev, row[j+1] = row[j+1], cost
		}
	}
	return row[len(t)]
}
