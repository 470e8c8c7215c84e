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
	constants constantFolder
	variables map[ast.Node]bool
}

func newDependence(file *ast.File, varying []string) dependence {
	d := dependence{
		constants: constantFolder{file: file, constant: constantDeclarations(file, varying, nil), varying: varying},
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
			constant = constant && d.constants.refersToConstant(id, within)
		}
		return constant
	}, nil)
	return constant
}
