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

package redact

import (
	"encoding/json"
	"strings"
)

// Public returns data, which is decoded JSON, without the values of the Secrets in it,
// wherever in data they are. Of Secrets, data, stringData, annotations and managed fields
// are left out; so are annotations with copies of whole objects, and objects that KubeVela
// has compressed. In all other texts, values are replaced by a placeholder; the kinds and
// identities of objects are kept. If there is no Secret in data, the result is data itself;
// otherwise it shares nothing with data.
func Public(data map[string]any) map[string]any {
	if !Holds(data) {
		return data
	}
	out, _ := clone(data).(map[string]any)
	strip(out)
	v := New(data)
	v.redactTexts(out)
	return out
}

// Public returns data, which is decoded JSON, as the function Public does, and without the
// values v.
func (v *Values) Public(data map[string]any) map[string]any {
	out, _ := clone(Public(data)).(map[string]any)
	v.redactTexts(out)
	return out
}

// strip removes the parts of data that hold values of Secrets.
func strip(data any) {
	walk(data, visitor{
		secret: func(secret map[string]any) {
			delete(secret, "data")
			delete(secret, "stringData")
			if metadata, ok := secret["metadata"].(map[string]any); ok {
				delete(metadata, "annotations")
				delete(metadata, "managedFields")
			}
		},
		compressed: func(compression map[string]any) { delete(compression, "data") },
		copied:     func(annotations map[string]any, name string) { delete(annotations, name) },
	})
}

// Document is Text for a text that is sent. If it is JSON, only texts within it are
// redacted, so that it stays JSON, and the kinds and identities of objects are kept.
func (v *Values) Document(text string) string {
	redacted := v.text(text, false)
	if redacted == text {
		return text
	}
	var document any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&document) != nil || d.More() {
		return redacted
	}
	v.redactTexts(document)
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if _, isText := document.(string); isText || e.Encode(document) != nil {
		return redacted
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// textField is a text in decoded JSON.
type textField struct {
	text string
	set  func(text string)
}

// separator separates texts that are redacted together.
const separator = "\x00"

// redactTexts redacts the texts in data, except what identifies objects.
func (v *Values) redactTexts(data any) {
	fields := textFields(nil, data, "")
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = f.text
	}
	redacted := strings.Split(v.text(strings.Join(texts, separator), false), separator)
	if len(redacted) != len(texts) { // a text contains the separator
		redacted = redacted[:0]
		for _, text := range texts {
			redacted = append(redacted, v.text(text, false))
		}
	}
	for i, f := range fields {
		f.set(redacted[i])
	}
}

// textFields appends the texts in data, which is the value of the field name.
func textFields(fields []textField, data any, name string) []textField {
	switch d := data.(type) {
	case map[string]any:
		for key, e := range d {
			if text, ok := e.(string); !ok {
				fields = textFields(fields, e, key)
			} else if !identifies(name, key) {
				fields = append(fields, textField{text, func(text string) { d[key] = text }})
			}
		}
	case []any:
		for i, e := range d {
			if text, ok := e.(string); ok {
				fields = append(fields, textField{text, func(text string) { d[i] = text }})
			} else {
				fields = textFields(fields, e, name)
			}
		}
	}
	return fields
}

// identifies reports whether the field key of the object parent identifies an object.
func identifies(parent, key string) bool {
	switch key {
	case "apiVersion", "kind":
		return true
	case "name", "namespace", "uid", "resourceVersion", "generateName", "creationTimestamp", "deletionTimestamp":
		return parent == "metadata"
	}
	return false
}

// clone returns a deep copy of decoded JSON.
func clone(data any) any {
	switch d := data.(type) {
	case map[string]any:
		out := make(map[string]any, len(d))
		for k, e := range d {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(d))
		for i, e := range d {
			out[i] = clone(e)
		}
		return out
	}
	return data
}
