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
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/token"
)

// Program is a leaf that stands by itself: each path into context is a field of
// its own, so that CUE sees nothing of an event but the values that the leaf
// refers to. A field that is not filled in is as good as absent.
type Program struct {
	Index  int
	Text   string
	inputs map[string]Reference
	// elements says of which inputs only parts of the elements are wanted.
	elements map[string]elementFields
}

// Select returns what the program wants of an event.
func (p Program) Select(context map[string]any) map[string]any {
	data := make(map[string]any, len(p.inputs))
	for name, r := range p.inputs {
		if value, at := r.Lookup(context); at == Present || value == nil && r.Computed {
			if e, ok := p.elements[name]; ok {
				value = e.selectAll(value)
			}
			data[name] = value
		}
	}
	return data
}

// isolate returns the program for a leaf of the condition, the index-th in the
// order of the text. It takes s apart.
func (s *Expression) isolate(index int) (Program, error) {
	i := &programBuilder{Expression: s, inputs: map[string]Reference{}, names: map[string]string{}, prefix: "$"}
	for strings.Contains(s.text, i.prefix) {
		i.prefix += "$"
	}
	leaf := &ast.Field{Label: ast.NewString(programResult), Value: splitOperands(s.Conditions[0])[index]}
	i.decls = append(i.decls, leaf)
	i.rewrite(leaf)
	loops := loopedInputs(i.decls, i.inputs)
	for _, name := range slices.Sorted(maps.Keys(i.inputs)) {
		i.decls = append(i.decls, &ast.Field{Label: ast.NewIdent(name), Constraint: token.OPTION, Value: ast.NewIdent("_")})
	}
	text, err := format.Node(&ast.File{Decls: append(i.imports, i.decls...)})
	return Program{index, string(text), i.inputs, loops}, err
}

// splitOperands returns the leaves of x in the order in which newCondition finds them.
func splitOperands(x ast.Expr) []ast.Expr {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return splitOperands(x.X)
	case *ast.BinaryExpr:
		if x.Op == token.LAND || x.Op == token.LOR {
			return append(splitOperands(x.X), splitOperands(x.Y)...)
		}
	}
	return []ast.Expr{x}
}

// programBuilder collects what a program needs.
type programBuilder struct {
	*Expression
	prefix  string
	inputs  map[string]Reference
	names   map[string]string
	added   []ast.Node
	imports []ast.Decl
	decls   []ast.Decl
}

// rewrite puts inputs in place of the paths into context in d, and adds the
// helpers and imports that d refers to.
func (i *programBuilder) rewrite(d ast.Decl) {
	astutil.Apply(d, func(c astutil.Cursor) bool {
		x, ok := c.Node().(ast.Expr)
		if !ok {
			return true
		}
		if c.Parent() != nil && isName(c.Parent().Node(), x) {
			return false
		}
		if r, ok := i.Reference(x); ok && !r.Computed {
			c.Replace(ast.NewIdent(i.input(r)))
			return false
		}
		if id, ok := x.(*ast.Ident); ok {
			i.addDeclaration(id)
		}
		return true
	}, nil)
}

// isName reports whether x is a name that parent gives or selects, and refers to
// nothing.
func isName(parent ast.Node, x ast.Node) bool {
	switch parent := parent.(type) {
	case *ast.SelectorExpr:
		return x == parent.Sel
	case *ast.Field:
		return x == parent.Label && !isComputedLabel(parent.Label)
	case *ast.LetClause:
		return x == parent.Ident
	case *ast.Alias:
		return x == parent.Ident
	case *ast.ForClause:
		return x == parent.Key || x == parent.Value
	}
	return false
}

func (i *programBuilder) input(r Reference) string {
	path := r.String()
	name, ok := i.names[path]
	if !ok {
		name = fmt.Sprintf("%s%d", i.prefix, len(i.names))
		i.names[path] = name
		i.inputs[name] = r
	}
	return name
}

// addDeclaration adds what id refers to, if that stands at the top of the filter.
func (i *programBuilder) addDeclaration(id *ast.Ident) {
	if spec, ok := id.Node.(*ast.ImportSpec); ok && !slices.Contains(i.added, ast.Node(spec)) {
		i.added = append(i.added, spec)
		i.imports = append(i.imports, &ast.ImportDecl{Specs: []*ast.ImportSpec{spec}})
	}
	for _, h := range i.helper(id) {
		if !slices.Contains(i.added, ast.Node(h.decl)) {
			i.added = append(i.added, h.decl)
			i.decls = append(i.decls, h.decl)
			i.rewrite(h.decl)
		}
	}
}

const programResult = "result"

func ResultPath() cue.Path { return cue.MakePath(cue.Str(programResult)) }
