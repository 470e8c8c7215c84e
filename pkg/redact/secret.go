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

import "encoding/base64"

// IsSecret reports whether object is a Secret. An object without an apiVersion counts
// as one if its kind is Secret.
func IsSecret(object map[string]any) bool {
	version, _ := object["apiVersion"].(string)
	return object["kind"] == "Secret" && (version == "v1" || version == "")
}

// Strip removes the values of all Secrets in data, which is decoded JSON.
func Strip(data any) {
	forEachSecret(data, func(secret map[string]any) {
		delete(secret, "data")
		delete(secret, "stringData")
		if metadata, ok := secret["metadata"].(map[string]any); ok {
			delete(metadata, "annotations")
		}
	})
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
		forEachSecret(object, func(secret map[string]any) {
			forEachString(secretFields(secret), func(value string) {
				decoded, err := base64.StdEncoding.DecodeString(value)
				found = found || contains(value) || err == nil && contains(string(decoded))
			})
		})
	}
	return found
}

// secretFields returns the fields of a Secret that contain values: data, stringData, and
// the annotations, into one of which kubectl copies the data.
func secretFields(secret map[string]any) []any {
	metadata, _ := secret["metadata"].(map[string]any)
	return []any{secret["data"], secret["stringData"], metadata["annotations"]}
}

func forEachSecret(data any, f func(secret map[string]any)) {
	switch v := data.(type) {
	case map[string]any:
		if IsSecret(v) {
			f(v)
		}
		for _, e := range v {
			forEachSecret(e, f)
		}
	case []any:
		for _, e := range v {
			forEachSecret(e, f)
		}
	}
}

func forEachString(data any, f func(text string)) {
	switch v := data.(type) {
	case map[string]any:
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
