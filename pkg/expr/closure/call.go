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
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
)

// function is a function of values. Its arguments are as many as it takes.
type function struct {
	one func(a any) (any, Status)
	two func(a, b any) (any, Status)
	// many takes the number of arguments.
	many      func(args []any) (any, Status)
	arguments int
	// pattern is a function of a text and of a regular expression, its first argument, which
	// has to be a constant. It returns false where it has no result. replace is one of a
	// replacement, too.
	pattern func(re *regexp.Regexp, a string) (any, bool)
	replace func(re *regexp.Regexp, a, by string) string
	// boolean is set if the result is a bool.
	boolean bool
}

// call is `f(x)` or `package.Function(x)`.
func (c *compiler) call(x *ast.CallExpr) (code, error) {
	switch f := x.Fun.(type) {
	case *ast.Ident:
		if f.Node != nil {
			break
		}
		switch {
		case f.Name == "len" && len(x.Args) == 1:
			return c.length(x.Args[0])
		case slices.Contains([]string{"div", "mod", "quo", "rem"}, f.Name) && len(x.Args) == 2:
			return c.apply(x, function{two: division(f.Name)})
		}
		return code{}, unsupported(x, "the function %s", f.Name)
	case *ast.SelectorExpr:
		path, ok := imported(f.X)
		name, _, err := ast.LabelName(f.Sel)
		if !ok || err != nil {
			break
		}
		if path == "list" && name == "Contains" && len(x.Args) == 2 {
			return c.contains(x.Args[0], x.Args[1])
		}
		known, ok := library(path + "." + name)
		if !ok {
			return code{}, unsupported(x, "the function %s.%s", path[strings.LastIndex(path, "/")+1:], name)
		}
		return c.apply(x, known)
	}
	return code{}, unsupported(x, "this call")
}

// apply returns the call of a function.
func (c *compiler) apply(x *ast.CallExpr, f function) (code, error) {
	args := make([]code, len(x.Args))
	for i, a := range x.Args {
		var err error
		if args[i], err = c.compile(a); err != nil {
			return code{}, err
		}
	}
	var out code
	switch {
	case f.pattern != nil && len(args) == 2:
		re, err := c.constantPattern(x.Args[0])
		if err != nil {
			return code{}, err
		}
		out = unaryCode(args[1], ofText(func(a string) (any, Status) {
			v, ok := f.pattern(re, a)
			return v, absentIf(!ok)
		}))
	case f.replace != nil && len(args) == 3:
		re, err := c.constantPattern(x.Args[0])
		if err != nil {
			return code{}, err
		}
		out = binaryCode(args[1], args[2], ofTexts(func(a, b string) (any, Status) { return f.replace(re, a, b), Present }))
	case f.one != nil && len(args) == 1:
		out = unaryCode(args[0], f.one)
	case f.two != nil && len(args) == 2:
		out = binaryCode(args[0], args[1], f.two)
	case f.many != nil && len(args) == f.arguments:
		out = manyCode(args, f.many)
	default:
		return code{}, unsupported(x, "a call with %d arguments", len(args))
	}
	out.boolean = f.boolean
	return out, nil
}

// manyCode returns the code of an operation on several values.
func manyCode(args []code, operation func(args []any) (any, Status)) code {
	out := code{constant: true}
	for _, a := range args {
		out.constant = out.constant && a.constant
	}
	out.eval = func(f *frame) (any, Status) {
		values := make([]any, len(args))
		status := Present
		for i, a := range args {
			var s Status
			values[i], s = a.eval(f)
			status = max(status, s)
		}
		if status != Present {
			return nil, status
		}
		return operation(values)
	}
	return out
}

// contains is list.Contains(list, x).
func (c *compiler) contains(list, x ast.Expr) (code, error) {
	sought, err := c.compile(x)
	if err != nil {
		return code{}, err
	}
	i := c.newSlot()
	test := func(f *frame, v any) Status {
		same, s := equalElements(v, f.slots[i].value)
		if same {
			f.slots[i].known = true
		}
		return s
	}
	var (
		elements run
		whole    code
	)
	if literal, ok := unparenthesized(list).(*ast.ListLit); ok {
		elements, whole, err = c.elements(literal, func(f *frame, element func(f *frame) (any, Status)) Status {
			v, s := element(f)
			if s != Present {
				return Unknown
			}
			return test(f, v)
		})
	} else {
		elements, err = c.values(list, test)
	}
	if err != nil {
		return code{}, err
	}
	return code{boolean: true, constant: whole.constant && sought.constant, eval: func(f *frame) (any, Status) {
		v, s := sought.eval(f)
		if s != Present {
			return nil, s
		}
		f.slots[i] = slot{value: v}
		if s := elements(f); s != Present {
			return nil, s
		}
		return f.slots[i].known, Present
	}}, nil
}

// values gives the elements of a list to next. It has no elements to give of another kind.
func (c *compiler) values(list ast.Expr, next func(f *frame, v any) Status) (run, error) {
	over, err := c.compile(list)
	if err != nil {
		return nil, err
	}
	return func(f *frame) Status {
		v, s := over.eval(f)
		if s != Present {
			return s
		}
		elements, ok := v.([]any)
		if !ok {
			return Absent
		}
		for _, e := range elements {
			if s := next(f, e); s != Present {
				return s
			}
		}
		return Present
	}, nil
}
