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

package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// Describe describes the values that v allows: `string`, `one of "a", "b"`,
// `int & >0`. The attribute `@want("…")` of a field overrides the description.
func Describe(v cue.Value) string {
	if want := v.Attribute("want"); want.Err() == nil {
		if text, err := want.String(0); err == nil {
			return text
		}
	}
	var alternatives []string
	if e, ok := listBranch(v); ok {
		return listOf(e)
	}
	for _, b := range branches(v) {
		w := b.IncompleteKind().String()
		switch k := b.IncompleteKind(); {
		case k == cue.BottomKind:
			continue
		case k == cue.StructKind:
			w = "an object"
		case k == cue.ListKind:
			w = "a list"
		default:
			if text := fmt.Sprint(b); len(text) <= 60 && text != "_" && !strings.Contains(text, "\n") {
				w = text
			}
		}
		if w != `""` && !slices.Contains(alternatives, w) {
			alternatives = append(alternatives, w)
		}
	}
	switch len(alternatives) {
	case 0:
		return v.IncompleteKind().String()
	case 1:
		return alternatives[0]
	}
	return "one of " + strings.Join(alternatives, ", ")
}

func listOf(elem cue.Value) string {
	if elem.IncompleteKind() == cue.TopKind {
		return "a list"
	}
	return "a list of " + Describe(elem)
}

// describeData describes data by its type, or by its value where the schema allows
// strings or numbers.
func describeData(data any, schema cue.Value) string {
	switch d := data.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		var allowed []string
		for _, b := range branches(schema) {
			if s, err := b.String(); err == nil {
				allowed = append(allowed, s)
			}
		}
		if schema.IncompleteKind() == cue.StringKind {
			return strconv.Quote(d) + diag.Suggest(d, allowed)
		}
		return "string"
	}
	if schema.IncompleteKind()&cue.NumberKind != 0 {
		return fmt.Sprint(data)
	}
	return "number"
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return strings.Join(out, ", ")
}

// describeDiscriminator returns a string in quotes, and the type of any other value.
func describeDiscriminator(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%T", v)
}
