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

package reference

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Object is the documentation of an object in the schema of a CustomResourceDefinition.
type Object struct {
	// Path is the path of the object, such as "spec.triggers[].source".
	Path string
	// Description is the description in the schema. It may be empty.
	Description string
	// Rules are the messages of the rules that the API server checks.
	Rules []string
	// Fields are the fields in the order of their names, required ones first.
	Fields []Field
}

// Field is the documentation of a field of an Object. All texts but Name are Markdown.
type Field struct {
	Name, Type, Default, Limits, Description string
	Required                                 bool
	// Object is the path of the Object that the field has; empty if it has none.
	Object string
}

var (
	// defaultsTo finds the sentence about the default in a description.
	defaultsTo = regexp.MustCompile(`\s*\bDefaults to ((?:[^.]|\.\S)+?)\.(?:\s|$)`)
	// quotedValue and plainValue find a default that is a value and no sentence.
	quotedValue = regexp.MustCompile(`^"([^"]*)"$`)
	plainValue  = regexp.MustCompile(`^(?:\d+[a-z]*|true|false)$`)
)

// OfSchema returns the objects below path, which has the schema s: the object at path first,
// then those of its fields.
func OfSchema(path string, s apiextensionsv1.JSONSchemaProps) []Object {
	o := Object{Path: path}
	o.Description, _ = splitDefault(inline(s.Description))
	for _, v := range s.XValidations {
		o.Rules = append(o.Rules, v.Message)
	}
	names := slices.SortedFunc(maps.Keys(s.Properties), func(a, b string) int {
		if required := slices.Contains(s.Required, a); required != slices.Contains(s.Required, b) {
			if required {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var nested []Object
	for _, name := range names {
		field := s.Properties[name]
		f := Field{Name: name, Type: kindOf(field), Limits: limits(field), Required: slices.Contains(s.Required, name)}
		f.Description, f.Default = splitDefault(asField(name, inline(field.Description)))
		fieldPath := path + "." + name
		if field.Items != nil && field.Items.Schema != nil {
			field, fieldPath = *field.Items.Schema, fieldPath+"[]"
		}
		if len(field.Properties) > 0 {
			f.Object = fieldPath
			nested = append(nested, OfSchema(fieldPath, field)...)
		}
		o.Fields = append(o.Fields, f)
	}
	return append([]Object{o}, nested...)
}

// asField replaces the name of a Go field at the start of a description by the field's name.
func asField(name, description string) string {
	first, rest, _ := strings.Cut(description, " ")
	if strings.EqualFold(first, name) {
		return "`" + name + "` " + rest
	}
	return description
}

// splitDefault takes the sentence about the default out of a description.
func splitDefault(description string) (rest, defaultValue string) {
	m := defaultsTo.FindStringSubmatchIndex(description)
	if m == nil {
		return description, ""
	}
	defaultValue = quotedValue.ReplaceAllString(description[m[2]:m[3]], "`$1`")
	defaultValue = plainValue.ReplaceAllString(defaultValue, "`$0`")
	return strings.TrimSpace(description[:m[0]] + " " + description[m[1]:]), defaultValue
}

// kindOf returns the type of a value.
func kindOf(s apiextensionsv1.JSONSchemaProps) string {
	switch {
	case s.Type == "array" && s.Items != nil && s.Items.Schema != nil:
		return "list of " + kindOf(*s.Items.Schema) + "s"
	case s.Format == "date-time":
		return "time"
	}
	return s.Type
}

// describePattern returns what a pattern of names allows; empty if it is another pattern.
func describePattern(pattern string) string {
	switch pattern {
	case `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`:
		return "lower-case letters, digits and `-`, beginning and ending with a letter or digit"
	case `^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`:
		return "lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit"
	case `^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$`:
		return "letters, digits and `-`, beginning with a letter and ending with a letter or digit"
	}
	return ""
}

// limits returns the limits of a value that the API server checks.
func limits(s apiextensionsv1.JSONSchemaProps) string {
	var all []string
	add := func(format string, values ...any) { all = append(all, fmt.Sprintf(format, values...)) }
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		add("%.0f to %.0f", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		add("at least %.0f", *s.Minimum)
	case s.Maximum != nil:
		add("at most %.0f", *s.Maximum)
	}
	switch {
	case s.MinItems != nil && s.MaxItems != nil:
		add("%d to %d items", *s.MinItems, *s.MaxItems)
	case s.MaxItems != nil:
		add("at most %d items", *s.MaxItems)
	}
	if s.MaxLength != nil {
		add("at most %d characters", *s.MaxLength)
	}
	if len(s.Enum) > 0 {
		values := make([]string, 0, len(s.Enum))
		for _, v := range s.Enum {
			values = append(values, "`"+strings.Trim(string(v.Raw), `"`)+"`")
		}
		add("one of %s", strings.Join(values, ", "))
	}
	if text := describePattern(s.Pattern); text != "" {
		add("%s", text)
	}
	if s.Items != nil && s.Items.Schema != nil {
		if of := limits(*s.Items.Schema); of != "" && len(s.Items.Schema.Properties) == 0 {
			add("each %s", of)
		}
	}
	return strings.Join(all, "; ")
}

// inline returns a text in one line.
func inline(s string) string { return strings.Join(strings.Fields(s), " ") }

// WriteObject writes the section of an Object. With isStatus, its fields have no defaults.
func WriteObject(b *strings.Builder, o Object, isStatus bool) {
	fmt.Fprintf(b, "\n## %s\n", o.Path)
	if o.Description != "" {
		fmt.Fprintf(b, "\n%s\n", o.Description)
	}
	if len(o.Rules) > 0 {
		fmt.Fprintf(b, "\nThe API server checks further rules, with these errors: `%s`.\n", strings.Join(o.Rules, "`, `"))
	}
	head := "\n| field | type | default | limits | description |\n| --- | --- | --- | --- | --- |\n"
	if isStatus {
		head = "\n| field | type | limits | description |\n| --- | --- | --- | --- |\n"
	}
	b.WriteString(head)
	for _, f := range o.Fields {
		kind := f.Type
		if f.Object != "" {
			kind = fmt.Sprintf("[%s](#%s)", kind, anchor(f.Object))
		}
		cells := []string{"`" + f.Name + "`", kind, f.defaultCell(), f.Limits, f.Description}
		if isStatus {
			cells = slices.Delete(cells, 2, 3)
		}
		for i := range cells {
			cells[i] = escape(cells[i])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}

// defaultCell returns the text of the column default.
func (f Field) defaultCell() string {
	switch {
	case f.Required:
		return "required"
	case f.Default == "":
		return "none"
	}
	return f.Default
}

// anchor returns the anchor of a heading that is a path.
func anchor(path string) string {
	return strings.ToLower(strings.NewReplacer(".", "", "[", "", "]", "").Replace(path))
}
