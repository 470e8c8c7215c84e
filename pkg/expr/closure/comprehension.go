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
)

// comprehension is `for x in y let z = a if b {c}`.
func (c *compiler) comprehension(x *ast.Comprehension, next emit) (all run, choice bool, err error) {
	all, err = c.clauses(x.Clauses, func() (run, error) {
		body, ok := x.Value.(*ast.StructLit)
		if !ok {
			return nil, unsupported(x, "this comprehension")
		}
		element, err := c.body(body)
		if err != nil {
			return nil, err
		}
		choice = element.choice
		return func(f *frame) Status { return next(f, element.eval) }, nil
	})
	return all, choice, err
}

// body is the value of an element: that of the braces, or what is embedded in them.
func (c *compiler) body(x *ast.StructLit) (code, error) {
	if len(x.Elts) == 1 {
		if embedded, ok := x.Elts[0].(*ast.EmbedDecl); ok {
			return c.compile(embedded.Expr)
		}
	}
	return c.structure(x)
}

// clauses compiles clauses around a body, which may refer to the variables of the clauses.
func (c *compiler) clauses(clauses []ast.Clause, body func() (run, error)) (run, error) {
	if len(clauses) == 0 {
		return body()
	}
	rest := func() (run, error) { return c.clauses(clauses[1:], body) }
	switch clause := clauses[0].(type) {
	case *ast.IfClause:
		return c.ifClause(clause, rest)
	case *ast.ForClause:
		return c.forClause(clause, rest)
	case *ast.LetClause:
		return c.letClause(clause, rest)
	}
	return nil, unsupported(clauses[0], "this clause")
}

func (c *compiler) ifClause(x *ast.IfClause, rest func() (run, error)) (run, error) {
	condition, err := c.compile(x.Condition)
	if err != nil {
		return nil, err
	}
	next, err := rest()
	if err != nil {
		return nil, err
	}
	return func(f *frame) Status {
		v, s := condition.eval(f)
		holds, ok := v.(bool)
		switch {
		case s != Present || !ok:
			return Unknown // CUE v0.14.1 takes some errors for false
		case !holds:
			return Present
		}
		return next(f)
	}, nil
}

func (c *compiler) letClause(x *ast.LetClause, rest func() (run, error)) (run, error) {
	v, err := c.compile(x.Expr)
	if err != nil {
		return nil, err
	}
	i := c.newSlot()
	c.variables[x.Ident] = variable{i, v.choice}
	next, err := rest()
	if err != nil {
		return nil, err
	}
	return func(f *frame) Status {
		value, s := v.eval(f)
		f.slots[i] = slot{value: value, status: s}
		return next(f)
	}, nil
}

// forClause is `for k, v in x`.
func (c *compiler) forClause(x *ast.ForClause, rest func() (run, error)) (run, error) {
	key, element := -1, c.newSlot()
	if x.Key != nil {
		key = c.newSlot()
	}
	// The source does not see the variables.
	var next run
	each := func(f *frame, k any, v slot) Status {
		if f.steps++; f.steps > maxSteps {
			return Unknown
		}
		if key >= 0 {
			f.slots[key] = slot{value: k}
		}
		f.slots[element] = v
		return next(f)
	}
	loop, choice, err := c.loop(x.Source, key >= 0, each)
	if err != nil {
		return nil, err
	}
	if x.Key != nil {
		c.variables[x.Key] = variable{slot: key}
	}
	if x.Value != nil {
		c.variables[x.Value] = variable{element, choice}
	}
	next, err = rest()
	return loop, err
}

// loop gives the elements of a list, or the fields of a struct in the order of their names, to
// next.
func (c *compiler) loop(source ast.Expr, keys bool, next func(f *frame, k any, v slot) Status) (all run, choice bool, err error) {
	if list, ok := unparenthesized(source).(*ast.ListLit); ok && !keys {
		elements, whole, err := c.elements(list, func(f *frame, element func(f *frame) (any, Status)) Status {
			v, s := element(f)
			return next(f, nil, slot{value: v, status: s})
		})
		return elements, whole.choice, err
	}
	over, err := c.compile(source)
	if err != nil {
		return nil, false, err
	}
	return func(f *frame) Status {
		v, s := over.eval(f)
		if s != Present {
			return s
		}
		switch v := v.(type) {
		case []any:
			for i, element := range v {
				if s := next(f, int64(i), slot{value: element}); s != Present {
					return s
				}
			}
		case map[string]any, *object:
			fields, _ := fieldsOf(v)
			names, ok := orderOf(v)
			if !ok {
				return Unknown
			}
			for _, name := range names {
				if s := next(f, name, slot{value: fields[name]}); s != Present {
					return s
				}
			}
		default:
			return Absent
		}
		return Present
	}, over.choice, nil
}
