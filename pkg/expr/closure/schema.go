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
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Schema completes values of a type with its defaults.
type Schema struct {
	// accepts returns a value that has the type, with the defaults of its fields. A value that
	// does not have the type is Absent.
	accepts func(v any) (any, Status)
	// fallback returns the value where there is none. It is nil where one is needed.
	fallback func() (any, Status)
}

// CompileSchema compiles a type, such as that of a function's parameters: names of types,
// literals, bounds, structs, lists, and disjunctions with a default. Identifiers have to be
// resolved. The error is an *UnsupportedError.
func CompileSchema(x ast.Expr) (*Schema, error) {
	s, err := (&schemaCompiler{compiling: map[ast.Expr]bool{}}).compile(x)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// CompileConstraint compiles a type that values are tested against: structs are open, and a field
// that is missing has a value only if that is optional or has a default. The result is Present for
// a value that has the type, and Absent for one that does not. The error is an *UnsupportedError.
func CompileConstraint(x ast.Expr) (test func(v any) Status, err error) {
	s, err := (&schemaCompiler{compiling: map[ast.Expr]bool{}, constraint: true}).compile(x)
	if err != nil {
		return nil, err
	}
	return func(v any) Status {
		_, status := s.accepts(v)
		return status
	}, nil
}

// Complete returns a value that has the type, with defaults. It is Unknown where only CUE can
// tell, which is for all that does not have the type, and for what is missing.
func (s *Schema) Complete(v any) (any, Status) {
	completed, status := s.accepts(v)
	if status != Present {
		return nil, Unknown
	}
	return completed, Present
}

// CompleteJSON returns the JSON of a value as Complete returns it, with the fields in the order that
// CUE gives them: those of v, then the defaults. It is Unknown also for numbers that are not integers
// of 64 bits.
func (s *Schema) CompleteJSON(v any) (string, Status) {
	completed, status := s.Complete(v)
	if status != Present {
		return "", status
	}
	encoded, status := marshal(completed)
	text, _ := encoded.(string)
	return text, status
}

type schemaCompiler struct {
	// compiling are the types that are being compiled, which may not refer to themselves.
	compiling map[ast.Expr]bool
	// constraint is set by CompileConstraint.
	constraint bool
}

func (c *schemaCompiler) compile(x ast.Expr) (Schema, error) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.compile(x.X)
	case *ast.Ident:
		return c.name(x)
	case *ast.BasicLit:
		return literalSchema(x)
	case *ast.UnaryExpr:
		return boundSchema(x)
	case *ast.StructLit:
		return c.structure(x)
	case *ast.ListLit:
		return c.list(x)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.OR:
			return c.disjunction(x)
		case token.AND:
			return c.intersection(x)
		}
	}
	return Schema{}, unsupported(x, "a type")
}

func literalSchema(x ast.Expr) (Schema, error) {
	want, ok := literalOf(x)
	if !ok {
		return Schema{}, unsupported(x, "a type")
	}
	return Schema{
		accepts:  test(func(v any) (bool, Status) { return unifies(v, want) }),
		fallback: func() (any, Status) { return want, Present },
	}, nil
}

// boundSchema is `>0`, `=~"^a"` or a negative number.
func boundSchema(x *ast.UnaryExpr) (Schema, error) {
	if x.Op == token.SUB {
		return literalSchema(x)
	}
	limit, ok := literalOf(x.X)
	if !ok {
		return Schema{}, unsupported(x, "a bound")
	}
	switch x.Op {
	case token.LSS, token.LEQ, token.GTR, token.GEQ, token.NEQ:
		return Schema{accepts: test(func(v any) (bool, Status) { return satisfies(x.Op, v, limit) })}, nil
	case token.MAT, token.NMAT:
		re, err := (&compiler{}).constantPattern(x.X)
		if err != nil {
			return Schema{}, err
		}
		return Schema{accepts: test(func(v any) (bool, Status) {
			text, ok := v.(string)
			return ok && re.MatchString(text) == (x.Op == token.MAT), Present
		})}, nil
	}
	return Schema{}, unsupported(x, "a bound")
}

// intersection is `int & >0`.
func (c *schemaCompiler) intersection(x *ast.BinaryExpr) (Schema, error) {
	a, err := c.compile(x.X)
	if err != nil {
		return Schema{}, err
	}
	b, err := c.compile(x.Y)
	if err != nil {
		return Schema{}, err
	}
	return Schema{accepts: func(v any) (any, Status) {
		v, s := a.accepts(v)
		if s != Present {
			return nil, s
		}
		return b.accepts(v)
	}}, nil
}

// test returns the function that accepts the values for which ok is true.
func test(ok func(v any) (bool, Status)) func(v any) (any, Status) {
	return func(v any) (any, Status) {
		has, s := ok(v)
		switch {
		case s != Present:
			return nil, s
		case !has:
			return nil, Absent
		}
		return v, Present
	}
}

// testKind is test where ok can tell.
func testKind(ok func(v any) bool) func(v any) (any, Status) {
	return test(func(v any) (bool, Status) { return ok(v), Present })
}

// name is the name of a type, or of a definition.
func (c *schemaCompiler) name(x *ast.Ident) (Schema, error) {
	if definition, ok := x.Node.(ast.Expr); ok {
		// The name of a field stands for its value, which differs from its type.
		if c.constraint || !strings.HasPrefix(x.Name, "#") {
			return Schema{}, unsupported(x, "the name %s", x.Name)
		}
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
	return Schema{accepts: testKind(has)}, nil
}

// list is `[...string]`, `[string, int]` or `[string, ...]`.
func (c *schemaCompiler) list(x *ast.ListLit) (Schema, error) {
	var (
		first []Schema
		rest  *Schema
	)
	for _, e := range x.Elts {
		open, isOpen := e.(*ast.Ellipsis)
		s := Schema{accepts: testKind(func(any) bool { return true })}
		var err error
		switch {
		case !isOpen:
			s, err = c.compile(e)
		case open.Type != nil:
			s, err = c.compile(open.Type)
		}
		if err != nil {
			return Schema{}, err
		}
		if isOpen {
			rest = &s
		} else {
			first = append(first, s)
		}
	}
	accepts := func(v any) (any, Status) {
		list, ok := v.([]any)
		if !ok || len(list) < len(first) || len(list) > len(first) && rest == nil {
			return nil, Absent
		}
		return c.elements(list, first, rest)
	}
	return Schema{accepts: accepts, fallback: func() (any, Status) {
		out := make([]any, len(first))
		for i, e := range first {
			if e.fallback == nil {
				return nil, Unknown
			}
			var s Status
			if out[i], s = e.fallback(); s != Present {
				return nil, s
			}
		}
		return out, Present
	}}, nil
}

// elements completes the elements of a list. For a constraint it tests them.
func (c *schemaCompiler) elements(list []any, first []Schema, rest *Schema) (any, Status) {
	var out []any
	if !c.constraint {
		out = make([]any, len(list))
	}
	status := Present
	for i, e := range list {
		element := rest
		if i < len(first) {
			element = &first[i]
		}
		v, s := element.accepts(e)
		if s == Absent {
			return nil, Absent
		}
		status = max(status, s)
		if out != nil {
			out[i] = v
		}
	}
	return out, status
}

// disjunction is `*"a" | "b" | string`.
func (c *schemaCompiler) disjunction(x *ast.BinaryExpr) (Schema, error) {
	var (
		out          Schema
		preferred    *Schema
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
		_, isStruct := unparenthesized(alternative).(*ast.StructLit)
		switch {
		case c.constraint && isStruct:
			return Schema{}, unsupported(alternative, "a disjunction of structs")
		case !marked:
			alternatives = append(alternatives, s)
		case preferred != nil || s.fallback == nil:
			return Schema{}, unsupported(alternative, "a disjunction of defaults")
		default:
			preferred, out.fallback = &s, s.fallback
		}
	}
	out.accepts = func(v any) (any, Status) {
		if preferred != nil {
			if v, s := preferred.accepts(v); s != Absent {
				return v, s
			}
		}
		return onlyAlternative(alternatives, v)
	}
	return out, nil
}

// onlyAlternative returns the value that has one of the types. If it has several, only CUE can
// tell which, unless they all leave it as it is.
func onlyAlternative(alternatives []Schema, v any) (any, Status) {
	status := Absent
	var only any
	for _, a := range alternatives {
		completed, s := a.accepts(v)
		switch {
		case s == Absent:
			continue
		case s == Unknown || status == Present && !isScalar(v):
			return nil, Unknown
		}
		only, status = completed, Present
	}
	return only, status
}

// IsDefaulted reports whether x is a disjunction with a default.
func IsDefaulted(x ast.Expr) bool {
	alternatives := disjuncts(x)
	return len(alternatives) > 1 && slices.ContainsFunc(alternatives, func(x ast.Expr) bool {
		star, ok := x.(*ast.UnaryExpr)
		return ok && star.Op == token.MUL
	})
}

func disjuncts(x ast.Expr) []ast.Expr {
	if b, ok := unparenthesized(x).(*ast.BinaryExpr); ok && b.Op == token.OR {
		return append(disjuncts(b.X), disjuncts(b.Y)...)
	}
	return []ast.Expr{x}
}

// typedField is a field of a struct type.
type typedField struct {
	name string
	// required is set if there is no value without one, and optional if none is needed.
	required, optional bool
	Schema
}

func (c *schemaCompiler) structure(x *ast.StructLit) (Schema, error) {
	var (
		fields []typedField
		known  = map[string]int{}
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
			if isPattern(d.Label) && others == nil {
				others = &s
				continue
			}
			name, _, err := ast.LabelName(d.Label)
			if _, twice := known[name]; err != nil || IsInternal(name) || twice {
				return Schema{}, unsupported(d, "a field of a type")
			}
			known[name] = len(fields)
			required := d.Constraint == token.NOT || c.constraint && !IsDefaulted(d.Value)
			fields = append(fields, typedField{name, required, d.Constraint == token.OPTION, s})
		default:
			return Schema{}, unsupported(d, "a declaration in a type")
		}
	}
	accepts := func(v any) (any, Status) { return completeFields(fields, known, others, open, v) }
	if c.constraint {
		accepts = func(v any) (any, Status) { return v, testFields(fields, others, v) }
	}
	return Schema{accepts: accepts, fallback: func() (any, Status) { return accepts(map[string]any{}) }}, nil
}

// completeFields returns v, a struct, with defaults of fields. known are the indices of the fields by
// name; others is the type of all fields, or nil.
func completeFields(fields []typedField, known map[string]int, others *Schema, open bool, v any) (any, Status) {
	given, ok := fieldsOf(v)
	if !ok {
		return nil, Absent
	}
	names, ordered := orderOf(v)
	if !ordered {
		names = slices.Sorted(maps.Keys(given))
	}
	status, out := Present, newObject(len(fields)+len(given))
	out.unordered = !ordered
	add := func(name string, v any, s Status) {
		status = max(status, s)
		out.fields[name], out.names = v, append(out.names, name)
	}
	for _, name := range names {
		v, s := given[name], Present
		i, isKnown := known[name]
		if !isKnown && others == nil && !open {
			return nil, Absent
		}
		if isKnown {
			v, s = fields[i].accepts(v)
		}
		if others != nil && s == Present {
			v, s = others.accepts(v)
		}
		if s == Absent {
			return nil, Absent
		}
		add(name, v, s)
	}
	for _, f := range fields {
		switch _, has := given[f.name]; {
		case has || f.optional:
		case f.required || f.fallback == nil:
			status = max(status, Unknown)
		default:
			v, s := f.fallback()
			if others != nil && s == Present {
				v, s = others.accepts(v)
			}
			if s == Absent {
				return nil, Absent
			}
			add(f.name, v, s)
		}
	}
	return out, status
}

// testFields tests the fields of v, a struct. others is the type of all fields, or nil.
func testFields(fields []typedField, others *Schema, v any) Status {
	given, ok := fieldsOf(v)
	if !ok {
		return Absent
	}
	status := Present
	for _, f := range fields {
		value, has := given[f.name]
		s := Present
		switch {
		case has:
			_, s = f.accepts(value)
		case f.required && !f.optional:
			s = Absent
		}
		if s == Absent {
			return Absent
		}
		status = max(status, s)
	}
	if others == nil {
		return status
	}
	for _, value := range given {
		_, s := others.accepts(value)
		if s == Absent {
			return Absent
		}
		status = max(status, s)
	}
	return status
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
