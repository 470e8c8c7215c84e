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

// Package closure compiles CUE into Go closures over decoded JSON, so that an event costs no
// evaluation by CUE.
//
// A closure has the value that CUE has, or says that only CUE can tell. What it does not know
// is refused when it is compiled.
package closure

import (
	"fmt"
	"sync"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Status tells what is known about the value of an expression.
type Status int

const (
	// Present means that there is a value.
	Present Status = iota
	// Absent means that there is none: CUE has an error, or waits for a field.
	Absent
	// Unknown means that only CUE can tell.
	Unknown
)

// Input returns a value that a program depends on, or false if it is absent. Values are those
// of decoded JSON: nil, bool, int64, float64, json.Number, string, []any and map[string]any.
type Input func(c Context) (any, bool)

// Context is `context`.
type Context interface {
	// Field returns a field of `context`, or false if there is none.
	Field(name string) (any, bool)
	// EventField returns a field of `context.event`, or false if there is none.
	EventField(name string) (any, bool)
	// Whole returns `context`.
	Whole() map[string]any
}

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	codes  map[string]code
	frames *sync.Pool
}

// UnsupportedError tells what of an expression is left to CUE.
type UnsupportedError struct {
	Pos token.Pos
	// What is left to CUE, such as "the function list.Sort".
	What string
}

// Error implements error.
func (e *UnsupportedError) Error() string { return e.What + " is evaluated by CUE" }

// Definitions returns what a definition of an imported package makes of a struct that is unified
// with it, such as kube.#Get & {$params: …}, or false for one that it does not know. The values
// of the struct's fields are as those of an Input, or what the definitions make.
type Definitions func(path, name string) (func(fields map[string]any) (any, Status), bool)

// Options configure Compile.
type Options struct {
	// Inputs are the top-level fields that are given with each evaluation, by name.
	Inputs map[string]Input
	// Definitions may be nil for none.
	Definitions Definitions
}

// Compile compiles the fields of file that are called names. The identifiers of file have to be
// resolved. All fields that these refer to have to be in file, or among the inputs.
//
// The error is an *UnsupportedError.
func Compile(file *ast.File, names []string, o Options) (*Program, error) {
	c := &compiler{
		inputs: o.Inputs, define: o.Definitions,
		variables: map[ast.Node]variable{}, members: map[ast.Node]*member{},
	}
	roots, err := c.declareFile(file)
	if err != nil {
		return nil, err
	}
	p := &Program{codes: map[string]code{}}
	for _, name := range names {
		root := roots[name]
		if len(root) != 1 {
			return nil, &UnsupportedError{What: fmt.Sprintf("the field %q, which is declared %d times,", name, len(root))}
		}
		if p.codes[name], err = c.member(root[0]); err != nil {
			return nil, err
		}
	}
	size := c.size
	p.frames = &sync.Pool{New: func() any { return &frame{slots: make([]slot, size)} }}
	return p, nil
}

// declareFile declares what is in file, and returns its fields by name.
func (c *compiler) declareFile(file *ast.File) (roots map[string][]*member, err error) {
	roots = map[string][]*member{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.Field:
			label, _, err := ast.LabelName(d.Label)
			if err != nil {
				return nil, unsupported(d, "a field with a computed name")
			}
			m := c.declareMember(d.Value, d.Value)
			m.input = c.inputs[label]
			roots[label] = append(roots[label], m)
		case *ast.LetClause:
			c.declareMember(d, d.Expr)
		case *ast.ImportDecl, *ast.Package, *ast.Attribute, *ast.CommentGroup:
		default:
			return nil, unsupported(d, "a declaration at the top")
		}
	}
	for _, several := range roots {
		for _, m := range several {
			if len(several) > 1 {
				delete(c.members, m.value) // its value is that of all of them
			}
		}
	}
	return roots, nil
}

// code is a compiled expression.
type code struct {
	eval func(f *frame) (any, Status)
	// total is set if the value is never Absent, boolean if a value is always a bool, and
	// constant if it depends on no input and no variable.
	total, boolean, constant bool
	// choice is set if the value, or a part of it, may be that of a disjunction: as the
	// alternative of another one, it has no default.
	choice bool
}

// compiler compiles the expressions of one file.
type compiler struct {
	inputs map[string]Input
	// variables are those of loops, and members the fields and let clauses of the file and of
	// its structs, by the nodes that identifiers resolve to.
	variables map[ast.Node]variable
	members   map[ast.Node]*member
	// size is the number of slots, and calls that of calls that are compiled.
	size, calls int
	// define returns what a definition of an imported package makes of a struct; see
	// Definitions.
	define Definitions
}

// variable is a variable of a loop or a let clause.
type variable struct {
	slot   int
	choice bool
}

// newSlot returns the index of a new slot.
func (c *compiler) newSlot() int {
	c.size++
	return c.size - 1
}

func unsupported(n ast.Node, format string, args ...any) error {
	return &UnsupportedError{Pos: n.Pos(), What: fmt.Sprintf(format, args...)}
}

// compile compiles an expression.
func (c *compiler) compile(x ast.Expr) (code, error) {
	out, err := c.compileAny(x)
	if err != nil || !out.constant {
		return out, err
	}
	return c.fold(out), nil
}

func (c *compiler) compileAny(x ast.Expr) (code, error) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return c.compile(x.X)
	case *ast.BasicLit:
		return c.literal(x)
	case *ast.Interpolation:
		return c.interpolation(x)
	case *ast.Ident:
		return c.ident(x)
	case *ast.SelectorExpr:
		if function, argument := measured(x); function != "" {
			return c.measure(function, argument)
		}
		return c.selector(x)
	case *ast.IndexExpr:
		return c.index(x)
	case *ast.UnaryExpr:
		return c.unary(x)
	case *ast.BinaryExpr:
		return c.binary(x)
	case *ast.CallExpr:
		return c.call(x)
	case *ast.ListLit:
		return c.list(x)
	case *ast.StructLit:
		return c.structure(x)
	case *ast.SliceExpr:
		return c.slice(x)
	}
	return code{}, unsupported(x, "this expression")
}

// fold evaluates a constant.
func (c *compiler) fold(x code) code {
	f := &frame{slots: make([]slot, c.size)}
	v, s := x.eval(f)
	return code{eval: func(*frame) (any, Status) { return v, s }, total: s == Present, boolean: x.boolean, constant: true, choice: x.choice}
}
