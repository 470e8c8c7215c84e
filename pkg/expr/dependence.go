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
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
)

// ApplyRules applies the rules for values that an event lacks to the conditions, loops
// and defaults of a template that depend on context, and on no call. Definitions, and so
// the schema of the parameter, stay CUE's. The identifiers of file are resolved
// afterwards.
func ApplyRules(file *ast.File) error {
	if err := Resolve(file); err != nil {
		return err
	}
	withContext := newDependence(file, nil)
	constant := newDependence(file, []string{"context", AbsentField})
	rules{
		applies:  func(x ast.Expr) bool { return withContext.covers(x) && !constant.covers(x) },
		isInput:  func(ast.Expr) bool { return false },
		elements: loopElements(file),
	}.rewrite(file)
	return Resolve(file)
}

// dependence tells which expressions depend on nothing but constants: declarations, and
// the variables of loops over expressions of that kind.
type dependence struct {
	constants constants
	variables map[ast.Node]bool
}

func newDependence(file *ast.File, varying []string) dependence {
	d := dependence{
		constants: newConstants(file, varying),
		variables: map[ast.Node]bool{},
	}
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForClause:
			if d.covers(n.Source) {
				for _, id := range []*ast.Ident{n.Key, n.Value} {
					if id != nil {
						d.variables[id] = true
					}
				}
			}
		case *ast.LetClause:
			d.variables[n] = d.covers(n.Expr)
		}
		return true
	}, nil)
	return d
}

// covers reports whether n depends on nothing but constants.
func (d dependence) covers(n ast.Node) bool {
	within := map[ast.Node]bool{}
	ast.Walk(n, func(n ast.Node) bool {
		within[n] = true
		return true
	}, nil)
	constant := true
	ast.Walk(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !d.variables[id.Node] && !isFunctionDefinition(id.Name) {
			constant = constant && d.constants.includes(id, within)
		}
		return constant
	}, nil)
	return constant
}

// constants are the declarations at the top of a file that depend on nothing that varies, and
// on no call.
type constants struct {
	file  *ast.File
	names NameSet
	// varying are the names that are not constant, also where file does not declare them.
	varying []string
}

func newConstants(file *ast.File, varying []string) constants {
	c := constants{file: file, names: NameSet{}, varying: varying}
	for _, d := range file.Decls {
		if name, ok := declaredName(d); ok {
			c.names[name] = true
		}
	}
	for shrunk := true; shrunk; {
		shrunk = false
		for _, d := range file.Decls {
			name, ok := declaredName(d)
			switch d := d.(type) {
			case *ast.ImportDecl, *ast.Package:
				continue
			case *ast.Comprehension:
				// A comprehension may add to any field.
				for name := range eachDeclaration([]ast.Decl{d}) {
					shrunk = shrunk || c.names[name]
					delete(c.names, name)
				}
				continue
			}
			if !ok { // for example a pattern, which constrains all fields
				return constants{file: file, varying: varying}
			}
			if c.names[name] && (slices.Contains(varying, name) || IsDefinition(name) || !c.cover(d)) {
				delete(c.names, name)
				shrunk = true
			}
		}
	}
	return c
}

// cover reports whether n is not a call, and refers only to constants, to declarations within
// n, and to CUE's own names.
func (c constants) cover(n ast.Node) bool {
	within := map[ast.Node]bool{}
	ast.Walk(n, func(n ast.Node) bool {
		within[n] = true
		return true
	}, nil)
	constant := true
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			constant = constant && LabelName(n.Label) != "#do"
		case *ast.Ident:
			constant = constant && c.includes(n, within)
		}
		return constant
	}, nil)
	return constant
}

// includes reports whether an identifier is that of a constant, of a declaration within a
// node, or one of CUE's own.
func (c constants) includes(id *ast.Ident, within map[ast.Node]bool) bool {
	if spec, ok := id.Node.(*ast.ImportSpec); ok {
		return !strings.HasPrefix(importPath(spec), "vela/")
	}
	return id.Node == nil && !slices.Contains(c.varying, id.Name) || within[id.Scope] || id.Scope == c.file && c.names[id.Name]
}
