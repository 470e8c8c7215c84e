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
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// diagnostics collects diagnostics with their positions in the expression.
type diagnostics struct{ list diag.List }

func (d *diagnostics) add(n ast.Node, format string, args ...any) {
	d.addAt(n.Pos(), format, args...)
}

func (d *diagnostics) addAt(pos token.Pos, format string, args ...any) {
	d.list.Add("", format, args...)
	last := &d.list[len(d.list)-1]
	if pos.Filename() == Filename {
		last.Line, last.Column = pos.Line(), pos.Column()
	}
}

// ErrorOptions configure ErrorDiagnostics.
type ErrorOptions struct {
	// File accepts the files whose positions are reported. Defaults to all.
	File func(name string) bool
	// Message returns the message of an error. Defaults to the message of CUE.
	Message func(e errors.Error) string
	// Path returns the field path of an error. Defaults to none.
	Path func(e errors.Error) string
}

// ErrorDiagnostics returns the diagnostics of an error of CUE, each with its first
// position in an accepted file. An error that is not of CUE is one diagnostic.
func ErrorDiagnostics(err error, o ErrorOptions) diag.List {
	var list diag.List
	for _, e := range Causes(err) {
		format, args := e.Msg()
		d := diag.Diagnostic{Message: fmt.Sprintf(format, args...)}
		if o.Message != nil {
			d.Message = o.Message(e)
		}
		if o.Path != nil {
			d.Path = o.Path(e)
		}
		for _, pos := range errors.Positions(e) {
			if pos.IsValid() && (o.File == nil || o.File(pos.Filename())) {
				d.Line, d.Column = pos.Line(), pos.Column()
				break
			}
		}
		list = append(list, d)
	}
	return list
}

// cueDiagnostics returns the diagnostics of an error of CUE in the text of x. x is nil
// where the text is not valid CUE.
func cueDiagnostics(err error, x *Expression) diag.List {
	return ErrorDiagnostics(err, ErrorOptions{
		File:    func(name string) bool { return name == Filename },
		Message: func(e errors.Error) string { return cueMessage(e, x) },
	})
}

func cueMessage(e errors.Error, x *Expression) string {
	format, args := e.Msg()
	message := fmt.Sprintf(format, args...)
	switch {
	case x == nil:
	case format == referenceNotFound && len(args) == 1:
		declared := slices.Sorted(maps.Keys(x.helpers))
		return unknownName(fmt.Sprint(args[0]), slices.Concat(declared, slices.Sorted(maps.Keys(x.imports))))
	case isConflict(e):
		return "can never match: " + strings.Join(e.Path(), ".") + ": " + message
	}
	return message
}

// referenceNotFound is the format of CUE's error for an undeclared identifier.
const referenceNotFound = "reference %q not found"

// UnknownName returns the identifier that is not declared, if e is the error of one.
func UnknownName(e errors.Error) (string, bool) {
	format, args := e.Msg()
	if format != referenceNotFound || len(args) != 1 {
		return "", false
	}
	return fmt.Sprint(args[0]), true
}

// unknownName returns the message for an undeclared identifier, with a suggestion. declared
// are the names that the text declares.
func unknownName(name string, declared []string) string {
	if path := pathOf(name); path != "" {
		return fmt.Sprintf("unknown name %q; did you mean %s?", name, path)
	}
	if hint := equivalent(name); hint != "" {
		return fmt.Sprintf("unknown name %q; in CUE: %s", name, hint)
	}
	if hint := diag.Suggest(name, slices.Concat([]string{"context"}, Functions(), declared)); hint != "" {
		return fmt.Sprintf("unknown name %q%s", name, hint)
	}
	return fmt.Sprintf("unknown name %q; a text needs double quotes: %[1]q", name)
}

// sortByPosition returns the first diagnostic at each position, in the order of the
// text.
func sortByPosition(list diag.List) diag.List {
	slices.SortStableFunc(list, func(a, b diag.Diagnostic) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(list, func(a, b diag.Diagnostic) bool {
		return a.Line == b.Line && a.Column == b.Column && (a.Line > 0 || a.Message == b.Message)
	})
}

// Excerpt returns the source of x on one line, at most 122 bytes.
func Excerpt(x ast.Node) string {
	b, err := format.Node(x)
	if err != nil {
		return "the condition"
	}
	return diag.Truncate(strings.Join(strings.Fields(string(b)), " "), maxExcerpt)
}

// maxExcerpt is the maximum length of an excerpt in bytes.
const maxExcerpt = 122

// Reasons of EvaluationFailure that callers distinguish.
const (
	IndexOutOfRange = "index out of range"
	ReferenceCycle  = "reference cycle"
)

// EvaluationFailure returns the reason why e's expression cannot be evaluated, and ""
// where e is a value that does not satisfy a constraint. The reason never holds a
// value of the event, unlike the messages of CUE: errors are distinguished by their
// format, and described in fixed words.
func EvaluationFailure(e errors.Error) string {
	format, args := e.Msg()
	for _, known := range []struct{ prefix, reason string }{
		{"failed arithmetic", "arithmetic failed"},
		{"division by zero", "division by zero"},
		{"invalid operand", "operand has the wrong type"},
		{"invalid operation", "operand has the wrong type"},
		{"cannot use", "operand has the wrong type"},
		{"cannot slice", "operand has the wrong type"},
		{"undefined field", "a list has no fields"},
		{"invalid list index", "invalid index"},
		{"invalid index", "invalid index"},
		{"invalid slice index", "invalid index"},
		{"invalid struct selector", "index has the wrong type"},
		{"index", IndexOutOfRange},
		{"error in call", "invalid function arguments"},
		{"cannot call", "invalid function arguments"},
		{"invalid regexp", "invalid regular expression"},
		{"structural cycle", ReferenceCycle},
	} {
		if !strings.HasPrefix(format, known.prefix) {
			continue
		}
		if len(args) > 0 && fmt.Sprint(args[0]) == "division by zero" {
			return "division by zero"
		}
		return known.reason
	}
	return ""
}

// IsIncomplete reports whether e is a value that depends on a field which the event
// lacks.
func IsIncomplete(e errors.Error) bool {
	format, _ := e.Msg()
	for _, prefix := range []string{
		"incomplete", "undefined field", "non-concrete", "field is required", "invalid interpolation", "unresolved",
	} {
		if strings.HasPrefix(format, prefix) {
			return true
		}
	}
	return false
}

// isConflict reports whether e is a conflict between values.
func isConflict(e errors.Error) bool {
	format, _ := e.Msg()
	for _, prefix := range []string{
		"conflicting", "incompatible", "invalid value", "%d errors in empty disjunction", "explicit error", "field not allowed",
	} {
		if strings.HasPrefix(format, prefix) {
			return true
		}
	}
	return false
}
