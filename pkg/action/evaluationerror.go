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

package action

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// maxCauses limits the causes in the error of an evaluation.
const maxCauses = 3

// evaluationError returns err with its position in the template, and with the errors that
// it wraps. Values are replaced by "…" unless they occur in the source of the template or of
// a package that it imports, because they may come from a Secret. Names of fields are kept.
func (t *Template) evaluationError(err error) error {
	d := describer{template: t}
	list := expr.ErrorDiagnostics(err, expr.ErrorOptions{
		File:    func(name string) bool { return name == t.name+".cue" },
		Message: func(e cueerrors.Error) string { return withPath(e.Path(), d.message(e)) },
	})
	if len(list) == 0 {
		return err
	}
	list = merge(list)
	var text strings.Builder
	for i, p := range list {
		switch {
		case i == maxCauses:
			fmt.Fprintf(&text, "; and %d more", len(list)-maxCauses)
		case i == 0 && p.Line > 0:
			fmt.Fprintf(&text, ":%s", p)
		case i == 0:
			fmt.Fprintf(&text, ": %s", p)
		case i < maxCauses:
			fmt.Fprintf(&text, "; %s", p)
		}
	}
	return fmt.Errorf("template %q%s", t.name, text.String())
}

// allErrors returns all errors of v, for which err is the first one. CUE returns no others
// when it encodes a value.
func allErrors(v cue.Value, err error) error {
	if all := v.Validate(cue.Concrete(true)); all != nil {
		return all
	}
	return err
}

// describer describes errors of CUE without values.
type describer struct {
	template *Template
	// public is set if there are no values of events yet.
	public bool
	// sources are those of the template and of the packages that it imports. They are read
	// when a value is looked for.
	sources []string
}

// message returns the message of e and of the errors that it wraps.
func (d *describer) message(e cueerrors.Error) string {
	format, args := e.Msg()
	args = slices.Clone(args)
	for i, a := range args {
		if inner, ok := a.(error); ok {
			args[i] = d.nested(inner, e.Path())
		} else if !isName(format) && !d.isPublic(a) {
			args[i] = maskedValue{}
		}
	}
	text := fmt.Sprintf(format, args...)
	if wrapped := errors.Unwrap(e); wrapped != nil {
		if cause := d.nested(wrapped, e.Path()); cause != "" && !strings.HasSuffix(text, cause) {
			return strings.TrimPrefix(text+": "+cause, ": ")
		}
	}
	return text
}

// nested returns the messages of the errors in err, with their paths unless these are outer.
func (d *describer) nested(err error, outer []string) string {
	if e := cueerrors.Error(nil); !errors.As(err, &e) {
		if d.public {
			return err.Error()
		}
		return maskQuoted(err.Error())
	}
	var texts []string
	for _, e := range expr.Causes(err) {
		text := d.message(e)
		if !slices.Equal(e.Path(), outer) {
			text = withPath(e.Path(), text)
		}
		if text != "" && !slices.Contains(texts, text) && len(texts) < maxCauses {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// isName reports whether the arguments of the error with a format are the names of a field
// or of a function.
func isName(format string) bool {
	return slices.Contains([]string{"undefined field: %s", "error in call to %s", "reference %q not found"}, format)
}

// isPublic reports whether a, an argument of an error, is a number of things, a kind, or
// part of a source.
func (d *describer) isPublic(a any) bool {
	if _, ok := a.(int); ok || d.public {
		return true
	}
	text := fmt.Sprint(a)
	if isKind(text) {
		return true
	}
	if d.sources == nil {
		d.sources = []string{d.template.source}
		for path, p := range d.template.library {
			if strings.Contains(d.template.source, `"`+path+`"`) {
				d.sources = append(d.sources, p.source())
			}
		}
	}
	return slices.ContainsFunc(d.sources, func(source string) bool { return strings.Contains(source, text) })
}

// maskQuoted returns the text of an error of Go with a placeholder for each value that it
// quotes.
func maskQuoted(text string) string {
	return regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"?|`[^`]*`?|'(?:[^'\\\\]|\\\\.)*'?").ReplaceAllString(text, "…")
}

// maskedValue formats as a placeholder for a value that may be a secret.
type maskedValue struct{}

// Format implements fmt.Formatter for all verbs.
func (maskedValue) Format(s fmt.State, _ rune) { fmt.Fprint(s, "…") }

// isKind reports whether text is a kind of CUE, or several: "(int|string)".
func isKind(text string) bool {
	return !slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("()|, ", r) }), func(word string) bool {
		switch word {
		case "null", "bool", "int", "float", "number", "string", "bytes", "struct", "list", "_", "or":
			return false
		}
		return true
	})
}
