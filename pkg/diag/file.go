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
