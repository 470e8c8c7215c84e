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

// shape is what the constraints say of one value of the event.
type shape struct {
	at reference
	// sources are the texts of the constraints on the value itself, and places
	// where they stand in the text.
	sources []string
	places  []place
	// The event may lack what is optional or has a default.
	optional, defaulted bool
	// tests decide without CUE, where they can.
	tests  []test
	fields map[string]*shape
}

// place is a range of offsets in the text.
type place struct{ from, to int }

// shapes collects the constraints of a filter.
type shapes struct {
	// simple says that the shapes hold all there is to know: no constraint adds
	// fields to an event, and each is as good as its tests.
	simple bool
}

// newShape returns the shape of context, and whether it is all there is.
func newShape(s *source) (*shape, bool) {
	c := &shapes{simple: true}
	root := &shape{}
	for _, f := range s.constraints {
		c.constrain(root, f)
	}
	return root, c.simple
}

// constrain adds what f says of a value.
func (c *shapes) constrain(n *shape, f *ast.Field) {
	if _, aliased := f.Label.(*ast.Alias); aliased {
		c.simple = false
	}
	n.sources = append(n.sources, excerpt(f.Value))
	n.places = append(n.places, place{f.Value.Pos().Offset(), f.Value.End().Offset()})
	for _, x := range conjuncts(f.Value) {
		if s, ok := x.(*ast.StructLit); ok {
			c.members(n, s)
			continue
		}
		n.defaulted = n.defaulted || defaults(x)
		t := newTest(x)
		if t == nil {
			c.simple = false
			continue
		}
		n.tests = append(n.tests, t)
	}
}

// members adds what s says of the fields of a value.
func (c *shapes) members(n *shape, s *ast.StructLit) {
	if n.fields == nil {
		n.fields = map[string]*shape{}
	}
	for _, d := range s.Elts {
		switch d := d.(type) {
		case *ast.Field:
			name, static := selected(d.Label)
			if !static {
				c.simple = false
				continue
			}
			field, known := n.fields[name]
			optional := d.Constraint == token.OPTION
			if !known {
				field = &shape{at: n.at.then(step{field: name}, true), optional: optional}
				n.fields[name] = field
			}
			field.optional = field.optional && optional
			c.constrain(field, d)
		case *ast.EmbedDecl:
			for _, x := range conjuncts(d.Expr) {
				if inner, ok := x.(*ast.StructLit); ok {
					c.members(n, inner)
				} else {
					c.simple = false
				}
			}
		case *ast.Ellipsis:
		default:
			c.simple = false
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

// defaults reports whether x is a disjunction with a default.
func defaults(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return defaults(x.X)
	case *ast.BinaryExpr:
		return x.Op == token.OR && (defaults(x.X) || defaults(x.Y))
	case *ast.UnaryExpr:
		return x.Op == token.MUL
	}
	return false
}

// quick decides on value without CUE. It is sure where value lacks something,
// or certainly does not fit, or certainly fits everywhere.
func (n *shape) quick(value any) (v Verdict, sure bool) {
	sure = true
	for _, t := range n.tests {
		fits, ok := t(value)
		if ok && !fits {
			return n.misfit(), true
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
			v, ok := field.quick(value)
			if ok && !v.Match {
				return v, true
			}
			sure = sure && ok
		case !field.optional && !field.defaulted:
			return missing(field.at.String()), true
		}
	}
	return Verdict{Match: sure}, sure
}

func (n *shape) misfit() Verdict {
	path, constraint := n.at.String(), ""
	for i, s := range n.sources {
		if i > 0 {
			constraint += " & "
		}
		constraint += s
	}
	return Verdict{Path: path, Reason: path + " does not satisfy " + constraint}
}

// lacking returns the verdict where the value, or something in it that is known
// only to its constraints, is absent.
func (n *shape) lacking(context map[string]any) Verdict {
	path := n.at.String()
	if _, p := n.at.in(context); p == absent {
		return missing(path)
	}
	return Verdict{Path: path, Reason: path + " lacks what its constraint asks for"}
}

// deepest returns the shape of the longest part of path that has one.
func (n *shape) deepest(path []string) *shape {
	for _, name := range path {
		next := n.fields[name]
		if next == nil {
			break
		}
		n = next
	}
	return n
}

// field returns the shape of a field, or nil where nothing is known of it.
func (n *shape) field(name string) *shape {
	if n == nil {
		return nil
	}
	return n.fields[name]
}

// around returns the deepest shape whose constraints stand around offset, or
// nil.
func (n *shape) around(offset int) *shape {
	for _, field := range n.fields {
		if found := field.around(offset); found != nil {
			return found
		}
	}
	for _, p := range n.places {
		if p.from <= offset && offset < p.to {
			return n
		}
	}
	return nil
}
