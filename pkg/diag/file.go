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

package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// FileDiagnostic is a Diagnostic with its position in a file.
type FileDiagnostic struct {
	File string
	// Line and Column start at 1. They are 0 if the position is unknown.
	Line, Column int
	// Path is the path of the field: "triggers[0].filter".
	Path    string
	Message string
}

// String returns "file:line:column: path: message", without the parts that are
// unknown.
func (d FileDiagnostic) String() string {
	s := d.File
	if d.Line > 0 {
		s += fmt.Sprintf(":%d:%d", d.Line, d.Column)
	}
	if d.Path != "" {
		s += ": " + d.Path
	}
	return s + ": " + d.Message
}

// Sizes of an excerpt, in characters: maxExcerpt is the maximum length of its line, excerptBefore
// what is shown before the column if the line is longer.
const (
	maxExcerpt    = 120
	excerptBefore = 40
)

// Excerpt returns the line of text, the content of the file, at which d is, and a line with a caret
// below its column. Of a long line it has the part around the column. It is empty if the position
// is unknown.
func (d FileDiagnostic) Excerpt(text string) string {
	if d.Line < 1 || d.Column < 1 {
		return ""
	}
	lines := strings.SplitN(text, "\n", d.Line+1)
	if len(lines) < d.Line {
		return ""
	}
	line := strings.TrimSuffix(lines[d.Line-1], "\r")
	before := []rune(line[:min(d.Column-1, len(line))])
	after := []rune(line[min(d.Column-1, len(line)):])
	if len(before)+len(after) > maxExcerpt {
		if len(before) > excerptBefore {
			before = append([]rune("…"), before[len(before)-excerptBefore+1:]...)
		}
		if rest := maxExcerpt - len(before); len(after) > rest {
			after = append(slices.Clone(after[:rest-1]), '…')
		}
	}
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(before))
	return string(before) + string(after) + "\n" + indent + "^\n"
}

// FileDiagnostics lists all problems of some files.
type FileDiagnostics []FileDiagnostic

// Error returns one diagnostic per line.
func (l FileDiagnostics) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Sort sorts the diagnostics by file, line and column. It is stable.
func (l FileDiagnostics) Sort() {
	slices.SortStableFunc(l, func(a, b FileDiagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
