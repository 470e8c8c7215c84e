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
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// Program is one operand of a condition as a CUE file of its own. Each path below
// context is an optional top-level field, an input, so that CUE gets only the values
// that the operand refers to. An input that is not filled in is absent.
type Program struct {
	// Index is the index of the operand in the condition.
	Index int
	// Text is the source of the file. The field at ResultPath is the operand.
	Text   string
	inputs map[string]Reference
	// elements are the inputs of whose elements only some fields are used.
	elements map[string]elementFields
	// guarded is set where the program refers to AbsentField.
	guarded bool
	// Measures says of which values the Functions that the program calls have a result; ""
	// if it calls none.
	Measures string
}

// Select returns the inputs of the program, by name.
func (p Program) Select(context closure.Context) map[string]any {
	data := make(map[string]any, len(p.inputs)+1)
	if p.guarded {
		data[AbsentField] = false
	}
	for name, r := range p.inputs {
		if value, presence := r.Lookup(context); presence == Present {
			if e, ok := p.elements[name]; ok {
				value = e.selectAll(value)
			}
			data[name] = value
		}
	}
	return data
}

// Compile compiles the operand into closures. The error is a *closure.UnsupportedError where
// CUE has to evaluate it.
func (p Program) Compile() (*closure.Program, error) {
	file, err := ParseFile(Filename, p.Text)
	if err != nil {
		return nil, err
	}
	if err := Resolve(file); err != nil {
		return nil, err
	}
	inputs := make(map[string]closure.Input, len(p.inputs)+1)
	for name, r := range p.inputs {
		inputs[name] = func(context closure.Context) (any, bool) {
			v, presence := r.Lookup(context)
			return v, presence == Present
		}
	}
	inputs[AbsentField] = func(closure.Context) (any, bool) { return false, true }
	return closure.Compile(file, []string{ProgramResult}, closure.Options{Inputs: inputs})
}

// Programs returns the programs of the leaves of the condition of e, in the order of the
// text.
func (e *Expression) Programs() ([]Program, error) {
	var (
		own      *Expression
		programs []Program
	)
	for i := range e.Condition.leaves() {
		// A program changes the helpers that it refers to, and its own leaf.
		if own == nil || own.declares {
			var list diag.List
			if own, list = parseExpression(e.text); len(list) > 0 {
				return nil, list
			}
			own.split()
			own.declares = len(own.helpers) > 0
			if err := own.applyRules(); err != nil {
				return nil, err
			}
		}
		p, err := own.program(i)
		if err != nil {
			return nil, err
		}
		programs = append(programs, p)
	}
	return programs, nil
}

// program returns the program of a leaf of the condition of e, which it changes.
func (e *Expression) program(index int) (Program, error) {
	b := &programBuilder{Expression: e, inputs: map[string]Reference{}, names: map[string]string{}, prefix: "$"}
	for strings.Contains(e.text, b.prefix) {
		b.prefix += "$"
	}
	operand := &ast.Field{Label: ast.NewString(ProgramResult), Value: e.Condition.leaves()[index].Expr}
	b.decls = append(b.decls, operand)
	b.rewrite(operand)
	elements := loopedInputs(b.decls, b.inputs)
	for _, name := range slices.Sorted(maps.Keys(b.inputs)) {
		b.decls = append(b.decls, &ast.Field{Label: ast.NewIdent(name), Constraint: token.OPTION, Value: ast.NewIdent("_")})
	}
	if b.guarded {
		b.decls = append(b.decls, &ast.Field{Label: ast.NewIdent(AbsentField), Value: ast.NewIdent("bool")})
	}
	text, err := format.Node(&ast.File{Decls: append(b.imports, b.decls...)})
	return Program{index, string(text), b.inputs, elements, b.guarded, b.measures()}, err
}

// programBuilder builds a program out of an expression, whose syntax tree it changes.
type programBuilder struct {
	*Expression
	// prefix starts the names of inputs. The text does not contain it.
	prefix string
	inputs map[string]Reference
	// names are the names of inputs by the keys of their paths.
	names map[string]string
	// added are the helpers and imports in decls and imports.
	added   []ast.Node
	imports []ast.Decl
	decls   []ast.Decl
	// guarded is set where the program refers to AbsentField.
	guarded bool
}

// rewrite replaces the paths below context in d by inputs, and adds the helpers and
// imports that d refers to.
func (b *programBuilder) rewrite(d ast.Decl) {
	astutil.Apply(d, func(c astutil.Cursor) bool {
		x, ok := c.Node().(ast.Expr)
		if !ok {
			return true
		}
		if c.Parent() != nil && isName(c.Parent().Node(), x) {
			return false
		}
		if compared := comparedWithNull(x); compared != nil {
			b.rewriteNullable(x.(*ast.BinaryExpr), compared)
		}
		if r, ok := b.Reference(x); ok && !r.Computed {
			c.Replace(ast.NewIdent(b.input(r)))
			return false
		}
		if id, ok := x.(*ast.Ident); ok {
			b.guarded = b.guarded || id.Name == AbsentField
			b.addDeclaration(id)
		}
		return true
	}, nil)
}

// rewriteNullable replaces x, an operand of a comparison with null, where it is a path
// below context.
func (b *programBuilder) rewriteNullable(comparison *ast.BinaryExpr, x ast.Expr) {
	r, ok := b.Reference(x)
	if !ok || r.Computed {
		return
	}
	r.nullable = true
	input := ast.NewIdent(b.input(r))
	if comparison.X == x {
		comparison.X = input
	} else {
		comparison.Y = input
	}
}

// isName reports whether x is a name that parent declares or selects, and not a
// reference.
func isName(parent ast.Node, x ast.Node) bool {
	switch parent := parent.(type) {
	case *ast.SelectorExpr:
		return x == parent.Sel
	case *ast.Field:
		return x == parent.Label && !isComputed(parent.Label)
	case *ast.LetClause:
		return x == parent.Ident
	case *ast.Alias:
		return x == parent.Ident
	case *ast.ForClause:
		return x == parent.Key || x == parent.Value
	}
	return false
}

// input returns the name of the input of r.
func (b *programBuilder) input(r Reference) string {
	key := r.key()
	name, ok := b.names[key]
	if !ok {
		name = fmt.Sprintf("%s%d", b.prefix, len(b.names))
		b.names[key] = name
		b.inputs[name] = r
	}
	return name
}

// addDeclaration adds the top-level declaration or import that id refers to.
func (b *programBuilder) addDeclaration(id *ast.Ident) {
	if spec, ok := id.Node.(*ast.ImportSpec); ok && !slices.Contains(b.added, ast.Node(spec)) {
		b.added = append(b.added, spec)
		b.imports = append(b.imports, &ast.ImportDecl{Specs: []*ast.ImportSpec{spec}})
	}
	for _, h := range b.helper(id) {
		if !slices.Contains(b.added, ast.Node(h.decl)) {
			b.added = append(b.added, h.decl)
			b.decls = append(b.decls, h.decl)
			b.rewrite(h.decl)
		}
	}
}

// measures returns what Measures of the program is.
func (b *programBuilder) measures() string {
	calls := func(name string) bool {
		return slices.ContainsFunc(b.helpers[definitionName(name)], func(h helper) bool { return slices.Contains(b.added, ast.Node(h.decl)) })
	}
	switch {
	case calls(string(measure.Version)):
		return "a version, a quantity or a time"
	case slices.ContainsFunc(Functions(), calls):
		return "a quantity or a time"
	}
	return ""
}

// ProgramResult is the field of a program with the operand.
const ProgramResult = "result"

// ResultPath returns the path of the operand in a program.
func ResultPath() cue.Path { return cue.MakePath(cue.Str(ProgramResult)) }
