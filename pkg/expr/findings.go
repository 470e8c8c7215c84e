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

package expr

import (
	"fmt"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Finding is what is valid in CUE, and probably not meant.
type Finding struct {
	diag.Diagnostic
	Certainty Certainty
}

// Certainty tells how certain it is that a Finding is a mistake.
type Certainty int

const (
	// Doubtful may be meant.
	Doubtful Certainty = iota
	// UnknownField is a field that a schema of others lacks, which may get it later.
	UnknownField
	// Impossible is a field that no event has, or a condition that no event meets.
	Impossible
)

// Findings are the findings in one text.
type Findings []Finding

// WithPrefix returns f with a prefix before every path.
func (f Findings) WithPrefix(prefix string) Findings {
	out := make(Findings, len(f))
	for i, one := range f {
		one.Path = diag.Join(prefix, one.Path)
		out[i] = one
	}
	return out
}

// Split returns the findings that are problems, and the others.
func (f Findings) Split(isProblem func(Certainty) bool) (problems, warnings diag.List) {
	for _, one := range f {
		if isProblem(one.Certainty) {
			problems = append(problems, one.Diagnostic)
		} else {
			warnings = append(warnings, one.Diagnostic)
		}
	}
	return problems, warnings
}

// Diagnostics returns all findings.
func (f Findings) Diagnostics() diag.List {
	_, all := f.Split(func(Certainty) bool { return false })
	return all
}

// add adds a finding at a node.
func (f *Findings) add(n ast.Node, c Certainty, format string, args ...any) {
	f.addAt(n.Pos(), c, format, args...)
}

func (f *Findings) addAt(pos token.Pos, c Certainty, format string, args ...any) {
	*f = append(*f, Finding{diag.Diagnostic{Line: pos.Line(), Column: pos.Column(), Message: fmt.Sprintf(format, args...)}, c})
}
