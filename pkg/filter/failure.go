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

package filter

import (
	"fmt"
	"strings"

	"cuelang.org/go/cue/errors"
)

// The texts of CUE's errors hold values from the event. None of them may get
// out, so errors are told apart by their format, and told in words of our own.

// evaluationError says why l could not be evaluated.
func (l *leaf) evaluationError(err error) error {
	for _, e := range errors.Errors(err) {
		if what := EvaluationFailure(e); what != "" {
			return l.errorf("%s", what)
		}
	}
	return l.errorf("cannot be evaluated")
}

func (l *leaf) errorf(format string, args ...any) error {
	return fmt.Errorf("%d:%d: %s: %s", l.line, l.column, l.source, fmt.Sprintf(format, args...))
}

// EvaluationFailure says what is wrong where e is an expression that cannot be evaluated,
// not a value that does not fit. It returns "" for anything else.
func EvaluationFailure(e errors.Error) string {
	format, args := e.Msg()
	for _, known := range []struct{ prefix, means string }{
		{"failed arithmetic", "arithmetic failed"},
		{"division by zero", "division by zero"},
		{"invalid operand", "an operand is of the wrong type"},
		{"invalid operation", "an operand is of the wrong type"},
		{"cannot use", "an operand is of the wrong type"},
		{"cannot slice", "an operand is of the wrong type"},
		{"undefined field", "a list has no fields"},
		{"invalid list index", "an index is invalid"},
		{"invalid index", "an index is invalid"},
		{"invalid slice index", "an index is invalid"},
		{"invalid struct selector", "an index is of the wrong type"},
		{"index", "an index is out of range"},
		{"error in call", "a function does not take these arguments"},
		{"cannot call", "a function does not take these arguments"},
		{"invalid regexp", "a regular expression is invalid"},
		{"structural cycle", "it refers to itself"},
	} {
		if !strings.HasPrefix(format, known.prefix) {
			continue
		}
		if len(args) > 0 && fmt.Sprint(args[0]) == "division by zero" {
			return "division by zero"
		}
		return known.means
	}
	return ""
}

// IsIncomplete reports whether e is a value that the event would have to give.
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

// isConflict reports whether e is values that contradict each other.
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
