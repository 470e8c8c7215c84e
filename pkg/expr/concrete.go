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
	"cuelang.org/go/cue"
	"cuelang.org/go/cue/format"
)

// ConcreteSyntax returns v as CUE, or "" where v is incomplete, or has hidden fields
// or definitions, which the text would lack.
func ConcreteSyntax(v cue.Value) string {
	if v.Validate(cue.Concrete(true)) != nil || hasHiddenFields(v) {
		return ""
	}
	text, err := format.Node(v.Syntax(cue.Final()))
	if err != nil {
		return ""
	}
	return string(text)
}

// hasHiddenFields reports whether v has hidden fields or definitions.
func hasHiddenFields(v cue.Value) bool {
	hidden := false
	v.Walk(func(v cue.Value) bool {
		it, err := v.Fields(cue.Hidden(true), cue.Definitions(true))
		for err == nil && it.Next() {
			label := it.Selector().LabelType()
			hidden = hidden || label != cue.StringLabel && label != cue.IndexLabel
		}
		return !hidden
	}, nil)
	return hidden
}
