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

// Package schema checks properties against a CUE schema. Each diagnostic has the
// path of a field, and tells which values the schema allows.
package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"sync"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// Schema describes properties: their names, types, defaults and bounds. It is closed:
// unknown fields are invalid, except in structs with an ellipsis. It is safe for
// concurrent use.
type Schema struct {
	mu    sync.Mutex
	value cue.Value
}

// Parse parses a schema, a CUE file whose fields are the properties.
func Parse(text string) (*Schema, error) {
	file, err := parser.ParseFile("properties.cue", text, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	var head, body []ast.Decl
	for _, d := range file.Decls {
		switch d.(type) {
		case *ast.ImportDecl, *ast.Package:
			head = append(head, d)
		default:
			body = append(body, d)
		}
	}
	head = append(head, &ast.Field{Label: ast.NewIdent("#properties"), Value: &ast.StructLit{Elts: body}})
	file.Decls = head
	v := cuecontext.New().BuildFile(file).LookupPath(cue.ParsePath("#properties"))
	if err := v.Err(); err != nil {
		return nil, fmt.Errorf("build schema: %w", err)
	}
	return FromValue(v), nil
}

// FromValue returns the schema of v, a CUE definition.
func FromValue(v cue.Value) *Schema { return &Schema{value: v} }

// Check returns a diagnostic for each invalid, unknown or missing field of
// properties. Paths are relative to the properties. A field whose default refers to
// `context` is not required.
func (s *Schema) Check(properties map[string]any) diag.List {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c checker
	data := normalize(properties)
	c.check("", s.value, data)
	if len(c.diagnostics) == 0 {
		c.validate(fill(s.value, data))
	}
	return c.diagnostics
}

// Decode checks properties, applies defaults and decodes the result into into, as
// encoding/json does.
func (s *Schema) Decode(properties map[string]any, into any) diag.List {
	if problems := s.Check(properties); len(problems) > 0 {
		return problems
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var problems diag.List
	data, err := fill(s.value, normalize(properties)).MarshalJSON()
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		problems.Add("", "%v", err)
	}
	return problems
}

// fill returns schema with data filled in. Unlike CUE's own conversion, it keeps
// null as null.
func fill(schema cue.Value, data any) cue.Value {
	return schema.FillPath(cue.Path{}, schema.Context().Encode(number.Literals(data), cue.NilIsAny(false)))
}

// normalize returns properties with whole floats, such as 3.0, as integers. The result
// is never nil.
func normalize(properties map[string]any) map[string]any {
	out := make(map[string]any, len(properties))
	for k, v := range properties {
		out[k] = normalizeValue(v)
	}
	return out
}

func normalizeValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return normalize(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = normalizeValue(e)
		}
		return out
	case float64:
		if i := int64(v); float64(i) == v && math.Abs(v) < 1<<53 {
			return i
		}
	}
	return v
}
