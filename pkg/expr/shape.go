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

package expr

import (
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// Shape is the compiled form of the constraints on one value of the event: the
// fields that have to be there, and tests of their values. It is immutable and
// safe for concurrent use.
type Shape struct {
	// Path is the value's path.
	Path Reference
	// constraints are the sources of the constraints on the value itself, ranges
	// their places in the text.
	constraints []string
	ranges      []textRange
	// optional and hasDefault are set where the event may lack the value.
	optional, hasDefault bool
	tests                []func(value any) closure.Status
	fields               map[string]*Shape
	// names are those of fields, in order.
	names []string
}

// textRange is a range of offsets in the text.
type textRange struct{ start, end int }

// Mismatch tells why a value does not satisfy a constraint.
type Mismatch struct {
	// Path is the path of the value.
	Path string
	// Reason holds no values of the event.
	Reason string
}

// Missing returns the mismatch of a path that the event lacks.
func Missing(path string) Mismatch {
	return Mismatch{Path: path, Reason: path + " is absent"}
}

// Shape returns the shape of context that the constraints of e describe. left is nil unless the
// shape leaves something to CUE: then an event that matches the shape may still not match e, and
// left is the first thing of it.
func (e *Expression) Shape() (s *Shape, left *closure.UnsupportedError) {
	b := &shapeBuilder{}
	root := &Shape{}
	for _, f := range e.Constraints {
		b.addConstraint(root, f)
	}
	root.sortNames()
	return root, b.left
}

// shapeBuilder builds shapes.
type shapeBuilder struct {
	// left is the first constraint that may add fields to an event, or cannot be tested without it.
	left *closure.UnsupportedError
}

// leave leaves a constraint to CUE.
func (b *shapeBuilder) leave(n ast.Node, what string) {
	if b.left == nil {
		b.left = &closure.UnsupportedError{Pos: n.Pos(), What: what}
	}
}

// addConstraint adds the constraint of f to s.
func (b *shapeBuilder) addConstraint(s *Shape, f *ast.Field) {
	if _, aliased := f.Label.(*ast.Alias); aliased {
		b.leave(f, "a field with an alias")
	}
	s.constraints = append(s.constraints, Excerpt(f.Value))
	s.ranges = append(s.ranges, textRange{f.Value.Pos().Offset(), f.Value.End().Offset()})
	for _, x := range conjuncts(f.Value) {
		if lit, ok := x.(*ast.StructLit); ok {
			b.addFields(s, lit)
			continue
		}
		s.hasDefault = s.hasDefault || closure.IsDefaulted(x)
		test, err := closure.CompileConstraint(x)
		if err != nil {
			b.leave(x, "the constraint "+Excerpt(x))
			continue
		}
		s.tests = append(s.tests, test)
	}
}

// addFields adds the constraints of a struct on the fields of s.
func (b *shapeBuilder) addFields(s *Shape, lit *ast.StructLit) {
	if s.fields == nil {
		s.fields = map[string]*Shape{}
	}
	for _, d := range lit.Elts {
		switch d := d.(type) {
		case *ast.Field:
			name, static := fieldName(d.Label)
			if !static {
				b.leave(d, "a field that is computed, hidden or a definition")
				continue
			}
			field, known := s.fields[name]
			optional := d.Constraint == token.OPTION
			if !known {
				field = &Shape{Path: s.Path.child(pathStep{field: name}, true), optional: optional}
				s.fields[name] = field
			}
			field.optional = field.optional && optional
			b.addConstraint(field, d)
		case *ast.EmbedDecl:
			for _, x := range conjuncts(d.Expr) {
				if inner, ok := x.(*ast.StructLit); ok {
					b.addFields(s, inner)
				} else {
					b.leave(x, "the constraint "+Excerpt(x))
				}
			}
		case *ast.Ellipsis:
		default:
			b.leave(d, "a declaration within a constraint")
		}
	}
}

// conjuncts returns the operands of & in x.
func conjuncts(x ast.Expr) []ast.Expr {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return conjuncts(x.X)
	case *ast.BinaryExpr:
		if x.Op == token.AND {
			return append(conjuncts(x.X), conjuncts(x.Y)...)
		}
	}
	return []ast.Expr{x}
}

// sortNames sets the names of s and of all its fields.
func (s *Shape) sortNames() {
	s.names = slices.Sorted(maps.Keys(s.fields))
	for _, field := range s.fields {
		field.sortNames()
	}
}

// MatchContext is Match of `context`.
func (s *Shape) MatchContext(context closure.Context) (m Mismatch, fits, ok bool) {
	if len(s.tests) > 0 {
		return s.Match(context.Whole())
	}
	return s.matchFields(context.Field)
}

// Match tests value without CUE. Where ok is false only CUE can tell whether it fits.
// m is the first mismatch of a value that does not fit.
func (s *Shape) Match(value any) (m Mismatch, fits, ok bool) {
	known := true
	for _, test := range s.tests {
		status := test(value)
		if status == closure.Absent {
			return s.Mismatch(), false, true
		}
		known = known && status == closure.Present
	}
	if s.fields == nil {
		return Mismatch{}, known, known
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return Mismatch{}, false, false
	}
	m, fits, ok = s.matchFields(func(name string) (any, bool) {
		value, has := object[name]
		return value, has
	})
	if ok && !fits {
		return m, false, true
	}
	return Mismatch{}, known && ok, known && ok
}

// matchFields tests the fields of a value.
func (s *Shape) matchFields(get func(name string) (any, bool)) (m Mismatch, fits, ok bool) {
	known := true
	for _, name := range s.names {
		field := s.fields[name]
		value, has := get(name)
		switch {
		case has:
			m, fits, ok := field.Match(value)
			if ok && !fits {
				return m, false, true
			}
			known = known && ok
		case !field.optional && !field.hasDefault:
			return Missing(field.Path.String()), false, true
		}
	}
	return Mismatch{}, known, known
}

// PresenceOnly returns a copy of s without tests of values: its Match tests which fields are
// present, and leaves their values to CUE.
func (s *Shape) PresenceOnly() *Shape {
	out := *s
	out.tests, out.fields = nil, maps.Clone(s.fields)
	for name, field := range out.fields {
		out.fields[name] = field.PresenceOnly()
	}
	return &out
}

// Mismatch returns the mismatch of a value that does not satisfy the constraints.
func (s *Shape) Mismatch() Mismatch {
	path := s.Path.String()
	return Mismatch{Path: path, Reason: path + " does not satisfy " + strings.Join(s.constraints, " & ")}
}

// Missing returns the mismatch of an event that lacks the value, or a field in it
// that only its constraint declares.
func (s *Shape) Missing(context closure.Context) Mismatch {
	path := s.Path.String()
	value := s.Path
	value.nullable = true
	if _, p := value.Lookup(context); p == Absent {
		return Missing(path)
	}
	return Mismatch{Path: path, Reason: path + " does not satisfy its constraint: a required field is absent"}
}

// HasDefault reports whether the constraint has a default.
func (s *Shape) HasDefault() bool { return s.hasDefault }

// Field returns the shape of a field, or nil where no constraint declares it.
func (s *Shape) Field(name string) *Shape {
	if s == nil {
		return nil
	}
	return s.fields[name]
}

// Deepest returns the shape of the longest prefix of path that has one.
func (s *Shape) Deepest(path []string) *Shape {
	for _, name := range path {
		next := s.fields[name]
		if next == nil {
			break
		}
		s = next
	}
	return s
}

// OffendingConstraint returns the shape of the constraint that a CUE error is about.
// It names only fields of the text, never those that only the event has.
func (s *Shape) OffendingConstraint(err errors.Error) *Shape {
	deepest := s.Deepest(contextPath(err.Path()))
	for _, pos := range errors.Positions(err) {
		if pos.Filename() != Filename {
			continue
		}
		if n := s.enclosing(pos.Offset()); n != nil && len(n.Path.steps) > len(deepest.Path.steps) {
			deepest = n
		}
	}
	return deepest
}

// contextPath returns the path below context of the path of a CUE error.
func contextPath(path []string) []string {
	var out []string
	for i, name := range path {
		if i == 0 && name == "context" {
			continue
		}
		if unquoted, err := literal.Unquote(name); err == nil {
			name = unquoted
		}
		out = append(out, name)
	}
	return out
}

// enclosing returns the deepest shape with a constraint around offset, or nil.
func (s *Shape) enclosing(offset int) *Shape {
	for _, field := range s.fields {
		if n := field.enclosing(offset); n != nil {
			return n
		}
	}
	for _, r := range s.ranges {
		if r.start <= offset && offset < r.end {
			return s
		}
	}
	return nil
}
