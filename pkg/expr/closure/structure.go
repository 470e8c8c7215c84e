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

// member is a field, or a let clause, of the file or of a struct.
type member struct {
	value ast.Expr
	// input is set if the value is given with each evaluation.
	input Input
	// slot is known while the file or the struct is evaluated, and the member has been.
	slot int
	// compiled is the code once it is known; compiling is set while it is compiled.
	compiled  *code
	compiling bool
	// calls is set if the value has calls.
	calls bool
}

// declareMember declares what identifiers resolve to by a node.
func (c *compiler) declareMember(node ast.Node, value ast.Expr) *member {
	m := &member{value: value, slot: c.newSlot()}
	c.members[node] = m
	return m
}

// member returns the code of a member, which is evaluated once.
func (c *compiler) member(m *member) (code, error) {
	if m.compiled != nil {
		return *m.compiled, nil
	}
	compiled := code{eval: func(f *frame) (any, Status) {
		v, ok := m.input(f.context)
		return v, absentIf(!ok)
	}}
	if m.input == nil {
		var err error
		before := c.calls
		m.compiling = true
		compiled, err = c.compile(m.value)
		m.compiling = false
		if err != nil {
			return code{}, err
		}
		m.calls = c.calls > before
	}
	if !compiled.constant {
		compiled = once(m.slot, compiled)
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
	for _, d := range x.Elts {
		if let, ok := d.(*ast.LetClause); ok && c.members[let].compiled == nil {
			return code{}, unsupported(let, "a let clause without use")
		}
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
	for _, d := range x.Elts {
		switch d := d.(type) {
		case *ast.Field:
			if name, _, err := ast.LabelName(d.Label); err == nil && count[name] == 1 && d.Constraint == token.ILLEGAL {
				slots = append(slots, c.declareMember(d.Value, d.Value).slot)
			}
		case *ast.LetClause:
			m := c.declareMember(d, d.Expr)
			c.members[d.Ident] = m
			slots = append(slots, m.slot)
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
	if lit, isText := x.Label.(*ast.BasicLit); ok && id.Name == "_" || isText && strings.ContainsAny(lit.Value, "\\\r") {
		return nil, code{}, unsupported(x, "this name of a field")
	}
	internal := ok && IsInternal(id.Name)
	var v code
	if m := c.members[x.Value]; m != nil {
		v, err = c.member(m)
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

// IsInternal reports whether an identifier is a hidden field or a definition, which decoded JSON
// never has.
func IsInternal(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")
}
