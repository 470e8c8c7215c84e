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
	"encoding/base64"
	"strings"
)

// IsSecret reports whether object is a Secret. An object without an apiVersion counts
// as one if its kind is Secret.
func IsSecret(object map[string]any) bool {
	version, _ := object["apiVersion"].(string)
	return object["kind"] == "Secret" && (version == "v1" || version == "")
}

// Holds reports whether data, which is decoded JSON, holds a Secret at any depth, also
// within JSON, YAML or compressed data in a text, or objects that are compressed, in which
// there may be one.
func Holds(data any) bool {
	found := false
	walk(data, visitor{
		secret:     func(map[string]any) { found = true },
		compressed: func(map[string]any) { found = true },
		opaque:     func(string) { found = true },
	})
	return found
}

// quoteLength is the number of bytes of a value that Reveals finds.
const quoteLength = 6

// Reveals reports whether text contains six bytes of a value of the Secrets in objects,
// or a whole value that is shorter, in plain text or base64.
func Reveals(text string, objects ...map[string]any) bool {
	pieces := map[string]struct{}{}
	for i := range len(text) {
		for n := 1; n <= quoteLength && i+n <= len(text); n++ {
			pieces[text[i:i+n]] = struct{}{}
		}
	}
	contains := func(value string) bool {
		for i := 0; i == 0 || i+quoteLength <= len(value); i++ {
			piece := value[i:min(i+quoteLength, len(value))]
			if _, ok := pieces[piece]; ok && piece != "" {
				return true
			}
		}
		return false
	}
	found := false
	for _, object := range objects {
		walk(object, visitor{secret: func(secret map[string]any) {
			forEachString(secretFields(secret), func(value string) {
				decoded, err := base64.StdEncoding.DecodeString(value)
				found = found || contains(value) || err == nil && contains(string(decoded))
			})
		}})
	}
	return found
}

// secretFields returns the fields of a Secret that contain values: data, stringData, and
// the annotations, into one of which kubectl copies the data.
func secretFields(secret map[string]any) []any {
	metadata, _ := secret["metadata"].(map[string]any)
	return []any{secret["data"], secret["stringData"], metadata["annotations"]}
}

// visitor has functions for what walk finds; nil for what is not of interest.
type visitor struct {
	secret func(secret map[string]any)
	// compressed gets the field of ResourceTrackers and ApplicationRevisions in which
	// KubeVela keeps whole objects: {type, data}.
	compressed func(compression map[string]any)
	// copied gets annotations, and the name of one that tools keep whole objects in.
	copied func(annotations map[string]any, name string)
	// opaque gets a text with Secrets that is to be hidden as a whole.
	opaque func(text string)
	// nesting is the number of texts around the current one, and budget the number of bytes
	// to which compressed texts may still be decompressed.
	nesting int
	budget  *int64
}

// walk visits what is in data, which is decoded JSON, at any depth. Functions may delete
// from what they get, but not from what was found within a text.
func walk(data any, v visitor) {
	budget := int64(maxInflated)
	v.budget = &budget
	v.walk(data, false)
}

func (v visitor) walk(data any, isSecret bool) {
	switch d := data.(type) {
	case map[string]any:
		v.visit(d, isSecret || IsSecret(d))
		for name, e := range d {
			if list, ok := e.([]any); ok && name == "items" && d["kind"] == "SecretList" {
				for _, item := range list { // lists of one kind leave it out of their items
					v.walk(item, true)
				}
				continue
			}
			v.walk(e, false)
		}
	case map[any]any: // YAML with other keys than strings
		for _, e := range d {
			v.walk(e, false)
		}
	case []any:
		for _, e := range d {
			v.walk(e, false)
		}
	case string:
		v.text(d)
	}
}

// visit calls the functions for one object.
func (v visitor) visit(object map[string]any, isSecret bool) {
	if isSecret && v.secret != nil {
		v.secret(object)
	}
	if c, ok := object["compression"].(map[string]any); ok && v.compressed != nil {
		if text, _ := c["data"].(string); text != "" {
			v.compressed(c)
		}
	}
	if annotations, ok := object["annotations"].(map[string]any); ok && v.copied != nil {
		for name := range annotations {
			if isCopy(name) {
				v.copied(annotations, name)
			}
		}
	}
}

// isCopy reports whether an annotation has a copy of the whole object: that of kubectl
// and of KubeVela (last-applied-configuration), Banzai Cloud (last-applied), Rancher
// (objectset.rio.cattle.io/applied) and kapp (original). Some of them are compressed.
func isCopy(name string) bool {
	switch name[strings.LastIndex(name, "/")+1:] {
	case "last-applied-configuration", "last-applied", "applied", "original":
		return true
	}
	return false
}

func forEachString(data any, f func(text string)) {
	switch v := data.(type) {
	case map[string]any:
		for _, e := range v {
			forEachString(e, f)
		}
	case map[any]any:
		for _, e := range v {
			forEachString(e, f)
		}
	case []any:
		for _, e := range v {
			forEachString(e, f)
		}
	case string:
		f(v)
	}
}
