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

package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cuelang.org/go/cue/ast"
)

// Path is the path of a field in an object: {"spec", "template"}.
type Path []string

// ParsePath parses a path in CUE syntax: spec.template, metadata.labels["a/b"].
// Strings are in plain double quotes. List elements cannot be selected.
func ParsePath(text string) (Path, error) {
	var p Path
	for rest, first := text, true; first || rest != ""; first = false {
		name, after, err := segment(rest, first)
		if err != nil {
			return nil, err
		}
		if name == nil {
			return nil, invalidPath(text)
		}
		p, rest = append(p, *name), after
	}
	switch {
	case p[0] == "context":
		return nil, fmt.Errorf("%q: must start at a field of the object, such as spec or metadata, not at context", text)
	case len(p) > 1 && p[0] == "metadata" && p[1] == "managedFields":
		return nil, fmt.Errorf("%q: is not available to triggers", text)
	}
	return p, nil
}

// segment parses the first field of text. It returns a nil name if text does not
// start with a field.
func segment(text string, first bool) (name *string, rest string, err error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner != "" && inner[0] >= '0' && inner[0] <= '9' {
			return nil, "", fmt.Errorf("%q: list elements cannot be compared; use the path of the list", text)
		}
		name, rest = quoted(inner)
		rest, ok = strings.CutPrefix(rest, "]")
		if !ok {
			return nil, "", nil
		}
		return name, rest, nil
	}
	if !first {
		var dotted bool
		if text, dotted = strings.CutPrefix(text, "."); !dotted {
			return nil, "", nil
		}
	}
	if strings.HasPrefix(text, `"`) {
		name, rest = quoted(text)
		return name, rest, nil
	}
	end := strings.IndexAny(text, ".[")
	if end < 0 {
		end = len(text)
	}
	ident := text[:end]
	switch {
	case !ast.IsValidIdent(ident):
		return nil, "", nil
	case internal(ident):
		return nil, "", fmt.Errorf("objects have no field %s", ident)
	}
	return &ident, text[end:], nil
}

// quoted parses the string at the start of text. It returns a nil name if there
// is none.
func quoted(text string) (name *string, rest string) {
	prefix, err := strconv.QuotedPrefix(text)
	if err != nil || prefix[0] != '"' {
		return nil, ""
	}
	s, err := strconv.Unquote(prefix)
	if err != nil || !utf8.ValidString(s) {
		return nil, ""
	}
	return &s, text[len(prefix):]
}

// internal reports whether an identifier is a hidden field or a definition in
// CUE. Objects have neither.
func internal(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")
}

func invalidPath(text string) error {
	return fmt.Errorf(`must be the path of a field, such as spec.template or metadata.labels["a/b"], not %q`, text)
}

// String returns the path in the syntax of ParsePath. Different paths have
// different strings.
func (p Path) String() string {
	var b strings.Builder
	for i, name := range p {
		switch {
		case !ast.IsValidIdent(name) || internal(name):
			b.WriteString("[" + strconv.Quote(name) + "]")
		case i > 0:
			b.WriteString("." + name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

// Lookup returns the value at p in object, and whether it exists.
func (p Path) Lookup(object map[string]any) (any, bool) {
	var value any = object
	for _, name := range p {
		m, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = m[name]; !ok {
			return nil, false
		}
	}
	return value, true
}

// Compare compares paths segment by segment, as slices.Compare does.
func (p Path) Compare(q Path) int { return slices.CompareFunc(p, q, strings.Compare) }
