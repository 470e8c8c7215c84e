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
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// member is a field, or a let clause, of a struct that other parts of the struct refer to.
type member struct {
	value ast.Expr
	// slot is known while the struct is evaluated and the member has been.
	slot int
	// compiled is the code once it is known; compiling is set while it is compiled.
	compiled  *code
	compiling bool
}

// member returns the code of a member.
func (c *compiler) member(m *member, x ast.Node) (code, error) {
	switch {
	case m.compiled != nil:
		return *m.compiled, nil
	case m.compiling:
		return code{}, unsupported(x, "a cycle of fields")
	}
	m.compiling = true
	compiled, err := c.compile(m.value)
	if err != nil {
		return code{}, err
	}
	if !compiled.constant {
		compiled = onceIn(m.slot, compiled)
	}
	m.compiled = &compiled
	return compiled, nil
}

// addField adds a part of a struct to o.
type addField func(f *frame, o *object) Status

// structure is `{a: x, b: y, let z = x, if c {d: z}, for k, v in x {(k): v}}`.
func (c *compiler) structure(x *ast.StructLit) (code, error) {
	members := c.declare(x)
	parts, whole, err := c.parts(x.Elts)
	if err != nil {
		return code{}, err
	}
	whole.eval = func(f *frame) (any, Status) {
		for _, m := range members {
			f.slots[m].known = false
		}
		o := newObject(len(parts))
		for _, add := range parts {
			if s := add(f, o); s != Present {
				return nil, Unknown
			}
		}
		return o, Present
	}
	return whole, nil
}

// declare declares the fields and let clauses of a struct, and returns their slots. What
// several declarations add to has no name.
func (c *compiler) declare(x *ast.StructLit) []int {
	count := map[string]int{}
	for _, d := range x.Elts {
		ast.Walk(d, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok {
				if name, _, err := ast.LabelName(f.Label); err == nil {
					count[name]++
				}
				return false
			}
			return true
		}, nil)
	}
	var slots []int
	add := func(node ast.Node, value ast.Expr) {
		slot := c.newSlot()
		c.members[node] = &member{value: value, slot: slot}
		slots = append(slots, slot)
	}
	for _, d := range x.Elts {
		switch d := d.(type) {
		case *ast.Field:
			if name, _, err := ast.LabelName(d.Label); err == nil && count[name] == 1 && d.Constraint == token.ILLEGAL {
				add(d.Value, d.Value)
			}
		case *ast.LetClause:
			add(d, d.Expr)
			c.members[d.Ident] = c.members[d]
		}
	}
	return slots
}

// parts compiles the declarations of a struct.
func (c *compiler) parts(decls []ast.Decl) (parts []addField, whole code, err error) {
	whole.constant = true
	for _, d := range decls {
		var (
			part  addField
			about code
		)
		switch d := d.(type) {
		case *ast.Field:
			part, about, err = c.field(d)
		case *ast.EmbedDecl:
			part, about, err = c.embedded(d.Expr)
		case *ast.Comprehension:
			part, err = c.fields(d)
		case *ast.LetClause, *ast.CommentGroup, *ast.Attribute, *ast.Ellipsis:
			continue
		default:
			err = unsupported(d, "a declaration in a struct")
		}
		if err != nil {
			return nil, code{}, err
		}
		whole.constant, whole.choice = whole.constant && about.constant, whole.choice || about.choice
		if part != nil {
			parts = append(parts, part)
		}
	}
	return parts, whole, nil
}

// field compiles `a: x`. A hidden field or a definition has a value and adds nothing.
func (c *compiler) field(x *ast.Field) (addField, code, error) {
	if _, aliased := x.Label.(*ast.Alias); aliased || x.Constraint != token.ILLEGAL {
		return nil, code{}, unsupported(x, "a field that is optional, required or has an alias")
	}
	name, err := c.label(x.Label)
	if err != nil {
		return nil, code{}, err
	}
	id, ok := x.Label.(*ast.Ident)
	internal := ok && isInternal(id.Name)
	var v code
	if m := c.members[x.Value]; m != nil {
		v, err = c.member(m, x)
	} else {
		v, err = c.compile(x.Value)
	}
	if err != nil {
		return nil, code{}, err
	}
	computed := !name.constant
	add := func(f *frame, o *object) Status {
		key, s := name.eval(f)
		text, ok := key.(string)
		if s != Present || !ok {
			return Unknown
		}
		value, s := v.eval(f)
		if s != Present {
			return Unknown
		}
		if internal {
			return Present
		}
		o.unordered = o.unordered || computed
		return o.add(text, value)
	}
	return add, code{constant: name.constant && v.constant, choice: v.choice}, nil
}

// label compiles the name of a field.
func (c *compiler) label(l ast.Label) (code, error) {
	switch l := l.(type) {
	case *ast.Interpolation:
		return c.compile(l)
	case *ast.ParenExpr:
		return c.compile(l.X)
	}
	name, _, err := ast.LabelName(l)
	if err != nil {
		return code{}, unsupported(l, "a pattern of fields")
	}
	return value(name), nil
}

// embedded compiles `x` within a struct.
func (c *compiler) embedded(x ast.Expr) (addField, code, error) {
	v, err := c.compile(x)
	if err != nil {
		return nil, code{}, err
	}
	return func(f *frame, o *object) Status {
		value, s := v.eval(f)
		if s != Present {
			return Unknown
		}
		o.unordered = true
		return o.addAll(value)
	}, v, nil
}

// fields compiles a comprehension within a struct.
func (c *compiler) fields(x *ast.Comprehension) (addField, error) {
	body, ok := x.Value.(*ast.StructLit)
	if !ok {
		return nil, unsupported(x, "this comprehension")
	}
	slot := c.newSlot()
	all, err := c.clauses(x.Clauses, func() (run, error) {
		v, err := c.structure(body)
		if err != nil {
			return nil, err
		}
		return func(f *frame) Status {
			value, s := v.eval(f)
			o, ok := f.slots[slot].value.(*object)
			if s != Present || !ok {
				return Unknown
			}
			o.unordered = true
			return o.addAll(value)
		}, nil
	})
	if err != nil {
		return nil, err
	}
	return func(f *frame, o *object) Status {
		f.slots[slot].value = o
		return all(f)
	}, nil
}

// isInternal reports whether a name is that of a hidden field or a definition.
func isInternal(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")
}
