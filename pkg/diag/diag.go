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

// Package diag describes errors in user input by path and position. Checks return
// all diagnostics, not only the first.
package diag

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Diagnostic is one error in the input.
type Diagnostic struct {
	// Path is the field, relative to the checked value, such as
	// "properties.events[1]". It is empty for the value itself.
	Path string
	// Line and Column, both from 1, are the position within the text at Path.
	// They are 0 if Path holds no text or the position is unknown.
	Line, Column int
	// Message says what is wrong and what is valid, in lower case.
	Message string
	// Secondary is set if another diagnostic of the input tells the cause, and this one
	// only where it has an effect.
	Secondary bool `json:",omitempty"`
}

// String returns "path:line:column: message", without empty parts.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.Path)
	if d.Line > 0 {
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%d:%d", d.Line, d.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(d.Message)
	return b.String()
}

// List is the list of all diagnostics of one input; nil if it is valid.
type List []Diagnostic

// Error returns one diagnostic per line.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns l as an error, or nil if it is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

// Causes returns l without the secondary diagnostics.
func (l List) Causes() List {
	return slices.DeleteFunc(slices.Clone(l), func(d Diagnostic) bool { return d.Secondary })
}

// Add appends a diagnostic at path.
func (l *List) Add(path, format string, args ...any) {
	*l = append(*l, Diagnostic{Path: path, Message: fmt.Sprintf(format, args...)})
}

// WithPrefix returns l with prefix, such as "filter" or "triggers[3]", before
// every path.
func (l List) WithPrefix(prefix string) List {
	out := make(List, len(l))
	for i, d := range l {
		d.Path = Join(prefix, d.Path)
		out[i] = d
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

// PositionAfter returns the line and the column, in bytes, of what follows the text before
// in a file or template, from 1.
func PositionAfter(before string) (line, column int) {
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndex(before, "\n")
}

// Truncate returns text if it has at most limit bytes. Otherwise it cuts text between
// characters and appends "…", so that the result has at most limit bytes.
func Truncate(text string, limit int) string {
	const end = "…"
	if len(text) <= limit {
		return text
	}
	cut := max(limit-len(end), 0)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + end
}

// Nearest returns the candidate with the smallest edit distance from got,
// ignoring case, or "" if none is within a third of got's length.
func Nearest(got string, candidates []string) string {
	best, distance := "", len(got)/3+1
	for _, c := range candidates {
		if d := levenshtein(strings.ToLower(got), strings.ToLower(c)); d <= distance && (best == "" || d < distance) {
			best, distance = c, d
		}
	}
	return best
}

// Suggest returns `; did you mean "x"?` with the nearest candidate, or "".
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
