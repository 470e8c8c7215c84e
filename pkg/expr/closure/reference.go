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

// ident is the name of an input, a variable of a loop, or a declaration.
func (c *compiler) ident(x *ast.Ident) (code, error) {
	if v, ok := c.variables[x.Node]; ok && x.Node != nil {
		return code{choice: v.choice, eval: func(f *frame) (any, Status) { return f.slots[v.slot].value, f.slots[v.slot].status }}, nil
	}
	m := c.members[x.Node]
	if m == nil || x.Node == nil {
		return code{}, unsupported(x, "the name %s", x.Name)
	}
	if m.compiling {
		return code{}, unsupported(x, "the cycle of %s", x.Name)
	}
	compiled, err := c.member(m)
	if err == nil && m.calls {
		err = unsupported(x, "a call that another field refers to")
	}
	return compiled, err
}

// once returns code that evaluates x when it is first needed, and keeps the value in a slot.
func once(i int, x code) code {
	eval := x.eval
	x.eval = func(f *frame) (any, Status) {
		if !f.slots[i].known {
			v, s := eval(f)
			f.slots[i] = slot{value: v, status: s, known: true}
		}
		return f.slots[i].value, f.slots[i].status
	}
	return x
}

// selector is `x.name`.
func (c *compiler) selector(x *ast.SelectorExpr) (code, error) {
	name, _, err := ast.LabelName(x.Sel)
	if id, ok := x.Sel.(*ast.Ident); err != nil || ok && IsInternal(id.Name) {
		return code{}, unsupported(x, "a field that is hidden or a definition")
	}
	if spec, ok := imported(x.X); ok {
		return constantOf(x, spec, name)
	}
	operand, err := c.compile(x.X)
	if err != nil {
		return code{}, err
	}
	out := unaryCode(operand, func(v any) (any, Status) { return field(v, name) })
	out.choice = operand.choice
	return out, nil
}

// imported returns the path of the package that x names.
func imported(x ast.Expr) (path string, ok bool) {
	id, ok := x.(*ast.Ident)
	if !ok {
		return "", false
	}
	spec, ok := id.Node.(*ast.ImportSpec)
	if !ok {
		return "", false
	}
	v, _ := literalOf(spec.Path)
	path, ok = v.(string)
	return path, ok
}

// index is `x[0]`, `x["name"]` or `x[y]`.
func (c *compiler) index(x *ast.IndexExpr) (code, error) {
	at, err := c.compile(x.Index)
	if err != nil {
		return code{}, err
	}
	if list, ok := x.X.(*ast.ListLit); ok {
		return c.element(list, at)
	}
	operand, err := c.compile(x.X)
	if err != nil {
		return code{}, err
	}
	out := binaryCode(operand, at, func(v, at any) (any, Status) {
		switch at := at.(type) {
		case string:
			return field(v, at)
		case int64:
			if list, ok := v.([]any); ok && at >= 0 && at < int64(len(list)) {
				return list[at], Present
			}
			return nil, Absent
		case float64, *decimal:
			return nil, Unknown
		}
		return nil, Absent
	})
	out.choice = operand.choice
	return out, nil
}

// slice is `x[low:high]`, of a list.
func (c *compiler) slice(x *ast.SliceExpr) (code, error) {
	args := make([]code, 3)
	for i, part := range []ast.Expr{x.X, x.Low, x.High} {
		if part == nil {
			args[i] = value(nil)
			continue
		}
		var err error
		if args[i], err = c.compile(part); err != nil {
			return code{}, err
		}
	}
	out := manyCode(args, func(args []any) (any, Status) {
		list, ok := args[0].([]any)
		if !ok {
			return nil, Unknown
		}
		low, high := int64(0), int64(len(list))
		for i, bound := range []*int64{&low, &high} {
			if args[i+1] == nil {
				continue
			}
			if *bound, ok = args[i+1].(int64); !ok {
				return nil, Unknown
			}
		}
		if low < 0 || high > int64(len(list)) || low > high {
			return nil, Absent
		}
		return list[low:high:high], Present
	})
	out.choice = args[0].choice
	return out, nil
}

// field returns a field of a struct.
func field(v any, name string) (any, Status) {
	if fields, ok := fieldsOf(v); ok {
		if v, ok := fields[name]; ok {
			return v, Present
		}
	}
	return nil, Absent
}

// presence is `x == _|_` or `x != _|_`.
func (c *compiler) presence(x ast.Expr, op token.Token) (code, error) {
	operand, err := c.compile(x)
	if err != nil {
		return code{}, err
	}
	wanted := op == token.NEQ
	return code{boolean: true, total: true, constant: operand.constant, eval: func(f *frame) (any, Status) {
		switch _, s := operand.eval(f); s {
		case Present:
			return wanted, Present
		case Absent:
			return !wanted, Present
		}
		return nil, Unknown
	}}, nil
}
