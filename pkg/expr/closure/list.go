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

// run is a part of an evaluation. It returns Present if the evaluation goes on.
type run func(f *frame) Status

// emit gets an element of a list, which it need not evaluate: an element that is absent is one.
type emit func(f *frame, element func(f *frame) (any, Status)) Status

// list is `[a, for x in y {z}]`, as a value.
func (c *compiler) list(x *ast.ListLit) (code, error) {
	i := c.newSlot()
	elements, whole, err := c.elements(x, func(f *frame, element func(f *frame) (any, Status)) Status {
		v, s := element(f)
		if s != Present {
			return Unknown // what a list with an absent element is, only CUE can tell
		}
		f.slots[i].list = append(f.slots[i].list, v)
		return Present
	})
	if err != nil {
		return code{}, err
	}
	return code{constant: whole.constant, choice: whole.choice, eval: func(f *frame) (any, Status) {
		f.slots[i].list = []any{}
		if s := elements(f); s != Present {
			return nil, s
		}
		return f.slots[i].list, Present
	}}, nil
}

// elements returns what gives each element of a list to next, and what is known of the list.
func (c *compiler) elements(x *ast.ListLit, next emit) (all run, whole code, err error) {
	whole.constant = true
	var parts []run
	for _, e := range x.Elts {
		if loop, ok := e.(*ast.Comprehension); ok {
			part, choice, err := c.comprehension(loop, next)
			if err != nil {
				return nil, code{}, err
			}
			parts, whole.constant, whole.choice = append(parts, part), false, whole.choice || choice
			continue
		}
		if _, open := e.(*ast.Ellipsis); open {
			return nil, code{}, unsupported(e, "an open list")
		}
		element, err := c.compile(e)
		if err != nil {
			return nil, code{}, err
		}
		parts = append(parts, func(f *frame) Status { return next(f, element.eval) })
		whole.constant, whole.choice = whole.constant && element.constant, whole.choice || element.choice
	}
	if len(parts) == 1 {
		return parts[0], whole, nil
	}
	return func(f *frame) Status {
		for _, part := range parts {
			if s := part(f); s != Present {
				return s
			}
		}
		return Present
	}, whole, nil
}

// length is len(x).
func (c *compiler) length(x ast.Expr) (code, error) {
	list, ok := unparenthesized(x).(*ast.ListLit)
	if !ok {
		operand, err := c.compile(x)
		if err != nil {
			return code{}, err
		}
		return unaryCode(operand, lengthOf), nil
	}
	i := c.newSlot()
	elements, whole, err := c.elements(list, func(f *frame, _ func(f *frame) (any, Status)) Status {
		f.slots[i].count++
		return Present
	})
	if err != nil {
		return code{}, err
	}
	return code{constant: whole.constant, eval: func(f *frame) (any, Status) {
		f.slots[i].count = 0
		if s := elements(f); s != Present {
			return nil, s
		}
		return int64(f.slots[i].count), Present
	}}, nil
}

func lengthOf(v any) (any, Status) {
	switch v := v.(type) {
	case []any:
		return int64(len(v)), Present
	case map[string]any, *object:
		fields, _ := fieldsOf(v)
		return int64(len(fields)), Present
	case string:
		return int64(len(v)), Present
	case octets:
		return int64(len(v)), Present
	}
	return nil, Absent
}

// element is `[a, b][i]`.
func (c *compiler) element(x *ast.ListLit, at code) (code, error) {
	i := c.newSlot()
	elements, whole, err := c.elements(x, func(f *frame, element func(f *frame) (any, Status)) Status {
		at := f.slots[i].count
		f.slots[i].count--
		if at != 0 {
			return Present
		}
		v, s := element(f)
		f.slots[i].value, f.slots[i].status = v, s
		return Present
	})
	if err != nil {
		return code{}, err
	}
	return code{constant: whole.constant && at.constant, choice: whole.choice, eval: func(f *frame) (any, Status) {
		v, s := at.eval(f)
		if s != Present {
			return nil, s
		}
		n, ok := v.(int64)
		if !ok {
			return unlessNumber(v)
		}
		if n < 0 {
			return nil, Absent
		}
		f.slots[i] = slot{count: int(n), status: Absent}
		if s := elements(f); s != Present {
			return nil, s
		}
		return f.slots[i].value, f.slots[i].status
	}}, nil
}
