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

// HasResult reports whether a template declares a result: at the top, or in a condition or
// an embedded struct there.
func HasResult(file *ast.File) bool { return declaresResult(file.Decls) }

func declaresResult(decls []ast.Decl) bool {
	return slices.ContainsFunc(decls, func(d ast.Decl) bool { return isResult(d) || declaresResult(nestedDecls(d)) })
}

func isResult(d ast.Decl) bool {
	f, ok := d.(*ast.Field)
	return ok && f.Constraint == token.ILLEGAL && LabelName(unaliasedLabel(f.Label)) == ResultField
}

// nestedDecls returns the declarations that d adds to the struct around it, if d is a
// comprehension or an embedded struct.
func nestedDecls(d ast.Decl) []ast.Decl {
	if body := nestedStruct(d); body != nil {
		return body.Elts
	}
	return nil
}

func nestedStruct(d ast.Decl) *ast.StructLit {
	var body ast.Expr
	switch d := d.(type) {
	case *ast.Comprehension:
		body = d.Value
	case *ast.EmbedDecl:
		body = d.Expr
	}
	s, _ := body.(*ast.StructLit)
	return s
}

// DropResult removes the result from file, unless it makes calls or another declaration
// refers to it. The identifiers of file have to be resolved.
func DropResult(file *ast.File) {
	needed := !DataFields(file)[ResultField]
	ast.Walk(file, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		needed = needed || ok && id.Name == ResultField && id.Node != nil
		return !needed
	}, nil)
	if needed {
		return
	}
	file.Decls = withoutResult(file.Decls)
	dropUnusedNames(file)
	DropUnusedImports(file)
}

// withoutResult returns decls without the results, and without the conditions for them.
func withoutResult(decls []ast.Decl) []ast.Decl {
	return slices.DeleteFunc(decls, func(d ast.Decl) bool {
		body := nestedStruct(d)
		if body == nil || !declaresResult(body.Elts) {
			return isResult(d)
		}
		body.Elts = withoutResult(body.Elts)
		return len(body.Elts) == 0
	})
}

// dropUnusedNames removes the let clauses and the aliases to which nothing refers, which
// CUE does not allow.
func dropUnusedNames(file *ast.File) {
	for dropped := true; dropped; {
		used := referencedNodes(file)
		before := len(file.Decls)
		file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
			let, ok := d.(*ast.LetClause)
			return ok && !used[let]
		})
		dropped = len(file.Decls) < before
	}
	used := referencedNodes(file)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			if _, aliased := f.Label.(*ast.Alias); aliased && !used[f] {
				f.Label = unaliasedLabel(f.Label)
			}
		}
	}
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
