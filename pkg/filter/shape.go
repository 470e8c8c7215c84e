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

package filter

import (
	"maps"
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Shape is what the constraints say of one value of the event.
type Shape struct {
	Path Reference
	// constraints are the texts of the constraints on the value itself, and places
	// where they stand in the text.
	constraints []string
	ranges      []textRange
	// The event may lack what is optional or has a default.
	optional, hasDefault bool
	// matchers decide without CUE, where they can.
	matchers []matcher
	fields   map[string]*Shape
}

// textRange is a range of offsets in the text.
type textRange struct{ start, end int }

// shapeBuilder collects the constraints of a filter.
type shapeBuilder struct {
	// complete says that the shapes hold all there is to know: no constraint adds
	// fields to an event, and each is as good as its tests.
	complete bool
}

// newShape returns the shape of context, and whether it is all there is.
func newShape(s *Expression) (*Shape, bool) {
	c := &shapeBuilder{complete: true}
	root := &Shape{}
	for _, f := range s.Constraints {
		c.addConstraint(root, f)
	}
	return root, c.complete
}

// addConstraint adds what f says of a value.
func (c *shapeBuilder) addConstraint(n *Shape, f *ast.Field) {
	if _, aliased := f.Label.(*ast.Alias); aliased {
		c.complete = false
	}
	n.constraints = append(n.constraints, Excerpt(f.Value))
	n.ranges = append(n.ranges, textRange{f.Value.Pos().Offset(), f.Value.End().Offset()})
	for _, x := range conjuncts(f.Value) {
		if s, ok := x.(*ast.StructLit); ok {
			c.addFields(n, s)
			continue
		}
		n.hasDefault = n.hasDefault || isDefaulted(x)
		t := newMatcher(x)
		if t == nil {
			c.complete = false
			continue
		}
		n.matchers = append(n.matchers, t)
	}
}

// addFields adds what s says of the fields of a value.
func (c *shapeBuilder) addFields(n *Shape, s *ast.StructLit) {
	if n.fields == nil {
		n.fields = map[string]*Shape{}
	}
	for _, d := range s.Elts {
		switch d := d.(type) {
		case *ast.Field:
			name, static := selectorName(d.Label)
			if !static {
				c.complete = false
				continue
			}
			field, known := n.fields[name]
			optional := d.Constraint == token.OPTION
			if !known {
				field = &Shape{Path: n.Path.child(pathStep{field: name}, true), optional: optional}
				n.fields[name] = field
			}
			field.optional = field.optional && optional
			c.addConstraint(field, d)
		case *ast.EmbedDecl:
			for _, x := range conjuncts(d.Expr) {
				if inner, ok := x.(*ast.StructLit); ok {
					c.addFields(n, inner)
				} else {
					c.complete = false
				}
			}
		case *ast.Ellipsis:
		default:
			c.complete = false
		}
	}
}

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

// isDefaulted reports whether x is a disjunction with a default.
func isDefaulted(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return isDefaulted(x.X)
	case *ast.BinaryExpr:
		return x.Op == token.OR && (isDefaulted(x.X) || isDefaulted(x.Y))
	case *ast.UnaryExpr:
		return x.Op == token.MUL
	}
	return false
}

// Match decides on value without CUE. It is sure where value lacks something,
// or certainly does not fit, or certainly fits everywhere.
func (n *Shape) Match(value any) (v Verdict, sure bool) {
	sure = true
	for _, t := range n.matchers {
		fits, ok := t(value)
		if ok && !fits {
			return n.Mismatch(), true
		}
		sure = sure && ok
	}
	if n.fields == nil {
		return Verdict{Match: sure}, sure
	}
	object, ok := value.(map[string]any)
	if !ok {
		return Verdict{}, false
	}
	for _, name := range slices.Sorted(maps.Keys(n.fields)) {
		field := n.fields[name]
		value, has := object[name]
		switch {
		case has:
			v, ok := field.Match(value)
			if ok && !v.Match {
				return v, true
			}
			sure = sure && ok
		case !field.optional && !field.hasDefault:
			return Missing(field.Path.String()), true
		}
	}
	return Verdict{Match: sure}, sure
}

func (n *Shape) Mismatch() Verdict {
	path, constraint := n.Path.String(), ""
	for i, s := range n.constraints {
		if i > 0 {
			constraint += " & "
		}
		constraint += s
	}
	return Verdict{Path: path, Reason: path + " does not satisfy " + constraint}
}

// Missing returns the verdict where the value, or something in it that is known
// only to its constraints, is absent.
func (n *Shape) Missing(context map[string]any) Verdict {
	path := n.Path.String()
	if _, p := n.Path.Lookup(context); p == Absent {
		return Missing(path)
	}
	return Verdict{Path: path, Reason: path + " lacks what its constraint asks for"}
}

// Deepest returns the shape of the longest part of path that has one.
func (n *Shape) Deepest(path []string) *Shape {
	for _, name := range path {
		next := n.fields[name]
		if next == nil {
			break
		}
		n = next
	}
	return n
}

// Field returns the shape of a field, or nil where nothing is known of it.
func (n *Shape) Field(name string) *Shape {
	if n == nil {
		return nil
	}
	return n.fields[name]
}

// enclosing returns the deepest shape whose constraints stand around offset, or
// nil.
func (n *Shape) enclosing(offset int) *Shape {
	for _, field := range n.fields {
		if found := field.enclosing(offset); found != nil {
			return found
		}
	}
	for _, p := range n.ranges {
		if p.start <= offset && offset < p.end {
			return n
		}
	}
	return nil
}
