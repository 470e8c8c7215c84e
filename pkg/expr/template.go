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

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Names of the fields of templates.
const (
	// ParameterSchema is the definition that `parameter` becomes. A definition is
	// closed, so that unknown properties are errors.
	ParameterSchema = "#parameter"
	// ResultField is the field of a template that is the result of its action.
	ResultField = "result"
	// ResultsField is the field of `context` with the results of earlier actions.
	ResultsField = "results"
)

// HasResult reports whether a template has a result that is data, and not a call.
func HasResult(file *ast.File) bool {
	return slices.ContainsFunc(file.Decls, isResult) && !callFields(file)[ResultField]
}

func isResult(d ast.Decl) bool {
	f, ok := d.(*ast.Field)
	return ok && f.Constraint == token.ILLEGAL && LabelName(f.Label) == ResultField
}

// DropResult removes the result from file, unless another declaration refers to it.
func DropResult(file *ast.File) {
	needed := !HasResult(file)
	ast.Walk(file, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		needed = needed || ok && id.Name == ResultField && id.Scope == file
		return !needed
	}, nil)
	if needed {
		return
	}
	for unused := isResult; slices.ContainsFunc(file.Decls, unused); {
		file.Decls = slices.DeleteFunc(file.Decls, unused)
		used := referencedNodes(file)
		// CUE does not allow unused let clauses.
		unused = func(d ast.Decl) bool {
			let, ok := d.(*ast.LetClause)
			return ok && !used[let]
		}
	}
	dropUnusedImports(file)
}

// ResultReference is a reference to the result of another action.
type ResultReference struct {
	Name string
	Pos  token.Pos
}

// ResultReferences returns the references of file to `context.results.NAME`.
func ResultReferences(file *ast.File) []ResultReference {
	var references []ResultReference
	ast.Walk(file, func(n ast.Node) bool {
		var name string
		var operand ast.Expr
		switch n := n.(type) {
		case *ast.SelectorExpr:
			name, operand = LabelName(n.Sel), n.X
		case *ast.IndexExpr:
			if lit, ok := n.Index.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				name, operand = LabelName(lit), n.X
			}
		}
		results, ok := operand.(*ast.SelectorExpr)
		if !ok || name == "" || LabelName(results.Sel) != ResultsField {
			return true
		}
		if root, ok := results.X.(*ast.Ident); ok && root.Name == "context" {
			references = append(references, ResultReference{name, n.Pos()})
		}
		return true
	}, nil)
	return references
}
