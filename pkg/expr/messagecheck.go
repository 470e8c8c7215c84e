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
	"slices"
	"strconv"
	"strings"
	"text/template/parse"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// Check returns the syntax errors and the unknown functions in the message templates of
// properties.
func (m Messages) Check(properties map[string]any) diag.List {
	var list diag.List
	for _, message := range m.Of(properties) {
		if !strings.Contains(message.Source, "{{") || message.From != "" {
			continue
		}
		_, err := gotemplate.Parse(message.Source, message.Place)
		if err == nil {
			continue
		}
		// "template: it:3: message"
		parts := strings.SplitN(err.Error(), ":", 4)
		line, _ := strconv.Atoi(parts[min(2, len(parts)-1)])
		list = append(list, diag.Diagnostic{
			Path: message.Name(), Line: max(line, 1), Column: 1,
			Message: "invalid Go template: " + withMessageHint(strings.TrimSpace(parts[len(parts)-1])),
		})
	}
	return list
}

// withMessageHint adds to a syntax error of a Go template what is likely meant.
func withMessageHint(message string) string {
	if strings.Contains(message, "bad character U+002D") || strings.Contains(message, "bad character U+002F") {
		return message + `; a name with "-", "." or "/" is selected with index: {{index .data.metadata.labels "example.com/my-app"}}`
	}
	switch {
	case strings.Contains(message, "bad character U+005B"):
		return message + "; an element is selected with index: {{(index .data.spec.containers 0).image}}"
	case strings.Contains(message, "malformed character constant"):
		return message + "; texts are in double quotes or in backquotes"
	}
	if name, ok := strings.CutPrefix(message, "function "); ok {
		name, _ = strconv.Unquote(strings.TrimSuffix(name, " not defined"))
		if path := pathOf(name); path != "" || name == "context" {
			return message + "; paths begin with a dot, without context: .data.metadata.name"
		}
		if hint := equivalent(name); strings.Contains(hint, "(") {
			return message + "; the action's field cue has " + hint
		}
	}
	return message
}

// CheckFields returns the fields that message templates of properties select, and that are
// none of the known fields of `context`, or that no event of a form has: .metadata in place
// of .data.metadata, .data.ref in place of .data.body.ref.
func (m Messages) CheckFields(properties map[string]any, known []string, form event.Form) Findings {
	var list Findings
	for _, message := range m.Of(properties) {
		if message.From != "" {
			continue
		}
		message.eachElementPath(func(path []string, pos parse.Pos) {
			if problem, certainty := unknownPath(path, known, form); problem != "" {
				line, column := message.position(pos)
				list = append(list, Finding{diag.Diagnostic{Path: message.Name(), Line: line, Column: column, Message: problem}, certainty})
			}
		})
	}
	return list
}

// unknownPath returns why no event of a form has a value at path, or "".
func unknownPath(path, known []string, form event.Form) (problem string, certainty Certainty) {
	name := path[0]
	if slices.Contains(known, name) {
		t, ok := form.Context(datatype.Of(datatype.Struct)).Field(name)
		for i, name := range path[1:] {
			if name == elementStep {
				t = t.Element()
				continue
			}
			at := func() string {
				return strings.ReplaceAll("."+strings.Join(path[:i+1], "."), "."+elementStep, elementStep)
			}
			if problem, certainty = unknownField(t, name, at, place{form.Data, ".data"}); problem != "" || !ok {
				return problem, certainty
			}
			t, ok = t.Field(name)
		}
		return "", 0
	}
	hint := diag.Suggest(name, known)
	switch {
	case name == "context":
		hint = "; the dot is context: ." + strings.Join(path[1:], ".")
	case hint == "":
		hint = "; fields of the object are in .data: .data." + strings.Join(path, ".")
	}
	return "." + name + " is never there" + hint, Doubtful
}

// position returns the line and the column of pos in the template.
func (m Message) position(pos parse.Pos) (line, column int) {
	return diag.PositionAfter(m.Source[:max(pos, 0)])
}

// CheckResults returns the invalid references to results in the message templates of
// properties: `.results.NAME` or `index .results "NAME"`. validate returns the reason
// why a name, or the path of fields below that result, is invalid, or "".
func (m Messages) CheckResults(properties map[string]any, validate func(name string, fields []string) string) diag.List {
	var list diag.List
	for _, message := range m.Of(properties) {
		if message.From != "" {
			continue
		}
		message.eachPath(func(path []string, pos parse.Pos) {
			if path[0] != ResultsField || len(path) < 2 {
				return
			}
			if reason := validate(path[1], path[2:]); reason != "" {
				line, column := message.position(pos)
				list = append(list, diag.Diagnostic{
					Path: message.Name(), Line: line, Column: column,
					Message: "." + ResultsField + "." + path[1] + ": " + reason,
				})
			}
		})
	}
	return list
}

// Context returns the fields of `context` that the message templates of properties name.
func (m Messages) Context(properties map[string]any) FieldSet {
	root := &fieldNode{}
	for _, message := range m.Of(properties) {
		message.eachPath(func(path []string, _ parse.Pos) { root.add(path) })
	}
	if len(root.fields) == 0 {
		return FieldSet{}
	}
	return FieldSet{root}
}
