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
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue"
)

// maxOpenAPI is the maximum number of schemas within one, and maxDepth that of levels: a
// CUE definition may contain itself.
const (
	maxOpenAPI = 1000
	maxDepth   = 12
)

// OpenAPI returns the schema of the properties as an OpenAPI v3 schema, without references. What
// OpenAPI cannot express, such as a relation of two properties, is omitted. It returns an error
// for a schema with more than maxOpenAPI schemas in it.
func (s *Schema) OpenAPI() (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var g openAPI
	out := g.schema(s.value, 0)
	if g.count > maxOpenAPI {
		return nil, fmt.Errorf("has more than %d fields and types", maxOpenAPI)
	}
	return out, nil
}

// openAPI generates one schema.
type openAPI struct{ count int }

// schema returns the schema of v at a level; an empty one, which allows anything, beyond the limits.
func (g *openAPI) schema(v cue.Value, level int) map[string]any {
	out := map[string]any{}
	if g.count++; g.count > maxOpenAPI || level > maxDepth {
		return out
	}
	g.alternatives(out, v, level)
	if d, ok := v.Default(); ok && d.IsConcrete() {
		var value any
		if text, err := d.MarshalJSON(); err == nil && !isImplied(string(text)) && json.Unmarshal(text, &value) == nil {
			out["default"] = value
		}
	}
	if usage := usageOf(v); usage != "" {
		out["description"] = usage
	}
	return out
}

// isImplied reports whether a default, as JSON, follows from the type: that of a struct is part
// of its fields, and that of a list is empty.
func isImplied(text string) bool { return strings.HasPrefix(text, "{") || text == "[]" }

// alternatives writes the type of v, which may be a disjunction, into out.
func (g *openAPI) alternatives(out map[string]any, v cue.Value, level int) {
	var (
		types []map[string]any
		enum  []any
		all   = branches(v)
	)
	for _, b := range all {
		if b.IncompleteKind() == cue.BottomKind {
			continue
		}
		var value any
		switch {
		case b.IncompleteKind() == cue.NullKind:
			out["nullable"] = true
		case len(all) > 1 && isScalar(b) && b.Decode(&value) == nil:
			enum = append(enum, value)
		default:
			types = append(types, g.alternative(b, level))
		}
	}
	enum = withoutImplied(types, enum)
	switch {
	case len(enum) > 0 && len(types) == 0:
		out["enum"] = enum
		if t := typeOf(v); t != "" {
			out["type"] = t
		}
	case len(enum) > 0:
		out["anyOf"] = append(anySlice(types), map[string]any{"enum": enum})
	case len(types) == 1:
		maps.Copy(out, types[0])
	case len(types) > 1:
		out["anyOf"] = anySlice(types)
	}
}

// withoutImplied returns the values that no type allows: of `*"" | string` there are none left.
func withoutImplied(types []map[string]any, enum []any) []any {
	return slices.DeleteFunc(enum, func(value any) bool {
		return slices.ContainsFunc(types, func(t map[string]any) bool {
			switch value.(type) {
			case string:
				return t["type"] == "string" && t["pattern"] == nil
			case bool:
				return t["type"] == "boolean"
			}
			return t["type"] == "integer" || t["type"] == "number"
		})
	})
}

func anySlice(list []map[string]any) []any {
	out := make([]any, len(list))
	for i, m := range list {
		out[i] = m
	}
	return out
}

func isScalar(v cue.Value) bool {
	return v.IsConcrete() && v.IncompleteKind()&(cue.StructKind|cue.ListKind) == 0
}

// alternative returns the schema of v, which is no disjunction.
func (g *openAPI) alternative(v cue.Value, level int) map[string]any {
	out := map[string]any{}
	if t := typeOf(v); t != "" {
		out["type"] = t
	}
	switch k := v.IncompleteKind(); {
	case k == cue.StructKind:
		g.object(out, v, level)
	case k == cue.ListKind:
		out["items"] = map[string]any{}
		if e := v.LookupPath(cue.MakePath(cue.AnyIndex)); e.Exists() {
			out["items"] = g.schema(e, level+1)
		}
	default:
		bounds(out, v)
	}
	return out
}

// object writes the fields of a struct into out.
func (g *openAPI) object(out map[string]any, v cue.Value, level int) {
	var required []any
	properties := map[string]any{}
	it, err := v.Fields(cue.Optional(true))
	for err == nil && it.Next() {
		name := it.Selector().Unquoted()
		properties[name] = g.schema(it.Value(), level+1)
		if isRequired(it) {
			required = append(required, name)
		}
	}
	if len(properties) > 0 {
		out["properties"] = properties
	}
	if len(required) > 0 {
		out["required"] = required
	}
	other := v.LookupPath(cue.MakePath(cue.AnyString))
	if other.Exists() && other.IncompleteKind() != cue.TopKind {
		out["additionalProperties"] = g.schema(other, level+1)
	} else {
		out["additionalProperties"] = v.Allows(cue.AnyString)
	}
}

// bounds writes the bounds of a number and the pattern of a string into out.
func bounds(out map[string]any, v cue.Value) {
	op, args := cue.Dereference(v).Expr()
	if op == cue.AndOp {
		for _, a := range args {
			bounds(out, a)
		}
		return
	}
	var key, exclusive string
	switch op {
	case cue.GreaterThanEqualOp:
		key = "minimum"
	case cue.GreaterThanOp:
		key, exclusive = "minimum", "exclusiveMinimum"
	case cue.LessThanEqualOp:
		key = "maximum"
	case cue.LessThanOp:
		key, exclusive = "maximum", "exclusiveMaximum"
	case cue.RegexMatchOp:
		key = "pattern"
	default:
		if isScalar(v) {
			var value any
			if v.Decode(&value) == nil {
				out["enum"] = []any{value}
			}
		}
		return
	}
	var value any
	if args[len(args)-1].Decode(&value) != nil {
		return
	}
	if _, isText := value.(string); isText != (key == "pattern") {
		return // bounds of texts
	}
	if out[key] = value; exclusive != "" {
		out[exclusive] = true
	}
}

// typeOf returns the type of OpenAPI that v has; "" for several.
func typeOf(v cue.Value) string {
	switch v.IncompleteKind() &^ cue.NullKind {
	case cue.StringKind, cue.BytesKind:
		return "string"
	case cue.BoolKind:
		return "boolean"
	case cue.IntKind:
		return "integer"
	case cue.NumberKind, cue.FloatKind:
		return "number"
	case cue.StructKind:
		return "object"
	case cue.ListKind:
		return "array"
	}
	return ""
}

// usageOf returns the comment of v, without `+usage=`. Other markers, such as `+short=`, are
// left out.
func usageOf(v cue.Value) string {
	var lines []string
	for _, g := range v.Doc() {
		for _, line := range strings.Split(strings.TrimSpace(g.Text()), "\n") {
			if text, ok := strings.CutPrefix(line, "+usage="); ok {
				lines = append(lines, text)
			} else if !regexp.MustCompile(`^\+\w+`).MatchString(line) {
				lines = append(lines, line)
			}
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
