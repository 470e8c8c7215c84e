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
	"strings"

	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// ConstraintResult is what a constraint says of one event.
type ConstraintResult struct {
	// Path is the path of the value, Source the constraint.
	Path, Source string
	// Value is the value of the event; nil unless it is Present.
	Value   any
	Present bool
	// Fits is set if the value satisfies the constraint. It is Unknown where only CUE can tell.
	Fits, Unknown bool
}

// Results returns the results of the constraints on single values, in the order in which Match
// tests them.
func (s *Shape) Results(context closure.Context) []ConstraintResult {
	var all []ConstraintResult
	for _, name := range s.names {
		field := s.fields[name]
		if len(field.names) == 0 || len(field.tests) > 0 {
			all = append(all, field.result(context))
		}
		all = append(all, field.Results(context)...)
	}
	return all
}

func (s *Shape) result(context closure.Context) ConstraintResult {
	path := s.Path
	path.nullable = true
	r := ConstraintResult{Path: path.String(), Source: strings.Join(s.constraints, " & ")}
	var presence Presence
	if r.Value, presence = path.Lookup(context); presence != Present {
		r.Value, r.Fits = nil, s.optional || s.hasDefault
		return r
	}
	r.Present = true
	_, fits, ok := s.Match(r.Value)
	r.Fits, r.Unknown = fits, !ok
	return r
}
