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
	// Fields is the path below the result, as far as it is known.
	Fields []string
	Pos    token.Pos
}

// ResultReferences returns the references of file to `context.results.NAME`.
func ResultReferences(file *ast.File) []ResultReference {
	var references []ResultReference
	ast.Walk(file, func(n ast.Node) bool {
		x, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		path, ok := staticPath(x)
		if ok && len(path) > 2 && path[0] == "context" && path[1] == ResultsField {
			references = append(references, ResultReference{path[2], path[3:], n.Pos()})
		}
		return !ok
	}, nil)
	return references
}

// staticPath returns the names of x, a path from an identifier.
func staticPath(x ast.Expr) (path []string, ok bool) {
	switch x := x.(type) {
	case *ast.Ident:
		return []string{x.Name}, true
	case *ast.SelectorExpr:
		path, ok = staticPath(x.X)
		return append(path, LabelName(x.Sel)), ok
	case *ast.IndexExpr:
		name, isString := stringLiteral(x.Index)
		if !isString {
			return nil, false
		}
		path, ok = staticPath(x.X)
		return append(path, name), ok
	}
	return nil, false
}
