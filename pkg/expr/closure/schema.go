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

package closure

import (
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Schema completes values of a type with its defaults.
type Schema struct {
	// accepts returns a value that has the type, with the defaults of its fields.
	accepts func(v any) (any, Status)
	// fallback returns the value where there is none. It is nil where one is needed.
	fallback func() (any, Status)
}

// CompileSchema compiles a type, such as that of a function's parameters: names of types,
// literals, structs, lists, and disjunctions of scalars with a default. Identifiers have to be
// resolved. The error is an *UnsupportedError.
func CompileSchema(x ast.Expr) (*Schema, error) {
	s, err := (&schemaCompiler{compiling: map[ast.Expr]bool{}}).compile(x)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// Complete returns a value that has the type, with defaults. It is Unknown where only CUE can
// tell, which is for all that does not have the type, and for what is missing.
func (s *Schema) Complete(v any) (any, Status) { return s.accepts(v) }

type schemaCompiler struct {
	// compiling are the types that are being compiled, which may not refer to themselves.
	compiling map[ast.Expr]bool
}

func (c *schemaCompiler) compile(x ast.Expr) (Schema, error) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.compile(x.X)
	case *ast.Ident:
		return c.name(x)
	case *ast.BasicLit, *ast.UnaryExpr:
		return literalSchema(x)
	case *ast.StructLit:
		return c.structure(x)
	case *ast.ListLit:
		return c.list(x)
	case *ast.BinaryExpr:
		if x.Op == token.OR {
			return c.disjunction(x)
		}
	}
	return Schema{}, unsupported(x, "a type")
}

func literalSchema(x ast.Expr) (Schema, error) {
	want, ok := Literal(x)
	if !ok {
		return Schema{}, unsupported(x, "a bound")
	}
	return Schema{
		accepts: test(func(v any) bool {
			same, s := Unifies(v, want)
			return same && s == Present
		}),
		fallback: func() (any, Status) { return want, Present },
	}, nil
}

// test returns the function that accepts the values for which ok is true.
func test(ok func(v any) bool) func(v any) (any, Status) {
	return func(v any) (any, Status) {
		if !ok(v) {
			return nil, Unknown
		}
		return v, Present
	}
}

// name is the name of a type, or of a definition.
func (c *schemaCompiler) name(x *ast.Ident) (Schema, error) {
	if definition, ok := x.Node.(ast.Expr); ok {
		if c.compiling[definition] {
			return Schema{}, unsupported(x, "a recursive type")
		}
		c.compiling[definition] = true
		defer delete(c.compiling, definition)
		return c.compile(definition)
	}
	var has func(v any) bool
	switch x.Name {
	case "_":
		has = func(any) bool { return true }
	case "int":
		has = func(v any) bool { return isNumber(v) && isInteger(v) }
	default:
		has, _ = bound(x)
	}
	if has == nil || x.Node != nil {
		return Schema{}, unsupported(x, "the type %s", x.Name)
	}
	return Schema{accepts: test(has)}, nil
}

func (c *schemaCompiler) list(x *ast.ListLit) (Schema, error) {
	if len(x.Elts) != 1 {
		return Schema{}, unsupported(x, "a list with places")
	}
	open, ok := x.Elts[0].(*ast.Ellipsis)
	if !ok {
		return Schema{}, unsupported(x, "a list with places")
	}
	element := Schema{accepts: test(func(any) bool { return true })}
	if open.Type != nil {
		var err error
		if element, err = c.compile(open.Type); err != nil {
			return Schema{}, err
		}
	}
	return Schema{
		fallback: func() (any, Status) { return []any{}, Present },
		accepts: func(v any) (any, Status) {
			list, ok := v.([]any)
			if !ok {
				return nil, Unknown
			}
			out := make([]any, len(list))
			for i, e := range list {
				var s Status
				if out[i], s = element.accepts(e); s != Present {
					return nil, Unknown
				}
			}
			return out, Present
		},
	}, nil
}

// disjunction is `*"a" | "b" | string`. Its alternatives but one are scalars.
func (c *schemaCompiler) disjunction(x *ast.BinaryExpr) (Schema, error) {
	var (
		out          Schema
		alternatives []Schema
	)
	for _, alternative := range disjuncts(x) {
		marked := false
		if star, ok := alternative.(*ast.UnaryExpr); ok && star.Op == token.MUL {
			alternative, marked = star.X, true
		}
		s, err := c.compile(alternative)
		if err != nil {
			return Schema{}, err
		}
		if _, ok := unparenthesized(alternative).(*ast.StructLit); ok {
			return Schema{}, unsupported(alternative, "a disjunction of structs")
		}
		if marked && (out.fallback != nil || s.fallback == nil) {
			return Schema{}, unsupported(alternative, "a disjunction of defaults")
		}
		if marked {
			out.fallback = s.fallback
		}
		alternatives = append(alternatives, s)
	}
	out.accepts = func(v any) (any, Status) {
		for _, s := range alternatives {
			if v, status := s.accepts(v); status == Present {
				return v, Present
			}
		}
		return nil, Unknown
	}
	return out, nil
}

func disjuncts(x ast.Expr) []ast.Expr {
	if b, ok := unparenthesized(x).(*ast.BinaryExpr); ok && b.Op == token.OR {
		return append(disjuncts(b.X), disjuncts(b.Y)...)
	}
	return []ast.Expr{x}
}

// typedField is a field of a struct type.
type typedField struct {
	name     string
	optional bool
	Schema
}

func (c *schemaCompiler) structure(x *ast.StructLit) (Schema, error) {
	var (
		fields []typedField
		known  = map[string]bool{}
		open   bool
		// others is the type of the fields that have no name of their own.
		others *Schema
	)
	for _, d := range x.Elts {
		switch d := d.(type) {
		case *ast.Ellipsis:
			open = true
		case *ast.CommentGroup, *ast.Attribute:
		case *ast.Field:
			s, err := c.compile(d.Value)
			if err != nil {
				return Schema{}, err
			}
			if isPattern(d.Label) {
				others = &s
				continue
			}
			name, _, err := ast.LabelName(d.Label)
			if err != nil || IsInternal(name) || known[name] || d.Constraint == token.NOT {
				return Schema{}, unsupported(d, "a field of a type")
			}
			known[name] = true
			fields = append(fields, typedField{name, d.Constraint == token.OPTION, s})
		default:
			return Schema{}, unsupported(d, "a declaration in a type")
		}
	}
	accepts := func(v any) (any, Status) {
		object, ok := fieldsOf(v)
		if !ok {
			return nil, Unknown
		}
		out := make(map[string]any, len(object))
		for name, v := range object {
			switch {
			case known[name]:
			case others != nil:
				var s Status
				if out[name], s = others.accepts(v); s != Present {
					return nil, Unknown
				}
			case open:
				out[name] = v
			default:
				return nil, Unknown
			}
		}
		return out, completeFields(fields, object, out)
	}
	return Schema{accepts: accepts, fallback: func() (any, Status) { return accepts(map[string]any{}) }}, nil
}

// completeFields adds the fields of object that have a name, and defaults, to out.
func completeFields(fields []typedField, object, out map[string]any) Status {
	for _, f := range fields {
		v, has := object[f.name]
		var s Status
		switch {
		case has:
			v, s = f.accepts(v)
		case f.optional:
			continue
		case f.fallback == nil:
			return Unknown
		default:
			v, s = f.fallback()
		}
		if s != Present {
			return Unknown
		}
		out[f.name] = v
	}
	return Present
}

// isPattern reports whether a label is [string].
func isPattern(l ast.Label) bool {
	list, ok := l.(*ast.ListLit)
	if !ok || len(list.Elts) != 1 {
		return false
	}
	id, ok := list.Elts[0].(*ast.Ident)
	return ok && id.Name == "string"
}
