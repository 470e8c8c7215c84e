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
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/number"
)

// Schema describes properties: their names, types, defaults and bounds. It is closed:
// unknown fields are invalid, except in structs with an ellipsis. It is safe for
// concurrent use.
type Schema struct {
	mu    sync.Mutex
	value cue.Value
	// compiled is the schema without CUE.
	compiled func() (*closure.Schema, error)
}

// Parse parses a schema, a CUE file whose fields are the properties.
func Parse(text string) (*Schema, error) {
	file, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	v := cuecontext.New().BuildFile(file).LookupPath(cue.ParsePath(definition))
	if err := v.Err(); err != nil {
		return nil, fmt.Errorf("build schema: %w", err)
	}
	return FromValue(v, func() (ast.Expr, error) {
		file, err := parse(text) // CUE modifies the tree that it builds
		if err == nil {
			err = expr.Resolve(file)
		}
		if err != nil {
			return nil, err
		}
		f, _ := file.Decls[len(file.Decls)-1].(*ast.Field)
		return f.Value, nil
	}), nil
}

// definition is the name of the schema in a file.
const definition = "#properties"

// parse returns a file with the schema as its last declaration.
func parse(text string) (*ast.File, error) {
	file, err := parser.ParseFile("properties.cue", text, parser.ParseComments)
	if err != nil {
		return nil, err
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
	head = append(head, &ast.Field{Label: ast.NewIdent(definition), Value: &ast.StructLit{Elts: body}})
	file.Decls = head
	return file, nil
}

// FromValue returns the schema of v, a CUE definition. syntax returns a syntax tree of v, whose
// identifiers are resolved, which is the schema's own. It is called at most once; nil for none.
func FromValue(v cue.Value, syntax func() (ast.Expr, error)) *Schema {
	return &Schema{value: v, compiled: sync.OnceValues(func() (*closure.Schema, error) {
		if syntax == nil {
			return nil, &closure.UnsupportedError{What: "a schema without its text"}
		}
		x, err := syntax()
		if err != nil {
			return nil, err
		}
		return closure.CompileSchema(x)
	})}
}

// Compiled returns the schema without CUE. The error is a *closure.UnsupportedError where only CUE
// can tell what is valid.
func (s *Schema) Compiled() (*closure.Schema, error) { return s.compiled() }

// Complete returns valid properties with their defaults, as the JSON that CUE has of them. It is much
// faster than Check. ok is false for properties that are invalid, and where only CUE can tell.
func (s *Schema) Complete(properties map[string]any) (text string, ok bool) {
	compiled, err := s.compiled()
	if err != nil {
		return "", false
	}
	text, status := compiled.CompleteJSON(normalize(properties))
	return text, status == closure.Present
}

// Check returns a diagnostic for each invalid, unknown or missing field of
// properties. Paths are relative to the properties. A field whose default refers to
// `context` is not required.
func (s *Schema) Check(properties map[string]any) diag.List {
	if _, ok := s.Complete(properties); ok {
		return nil
	}
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
	text, ok := s.Complete(properties)
	data := []byte(text)
	var err error
	if !ok {
		if problems := s.Check(properties); len(problems) > 0 {
			return problems
		}
		data, err = s.marshal(properties)
	}
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	var problems diag.List
	if err != nil {
		problems.Add("", "%v", err)
	}
	return problems
}

// marshal returns what CUE has of properties.
func (s *Schema) marshal(properties map[string]any) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fill(s.value, normalize(properties)).MarshalJSON()
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
