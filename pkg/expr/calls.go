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
	"iter"
	"slices"

	"cuelang.org/go/cue/ast"
)

// CallsUsedAsValues reports whether a template uses a call as a value, such as
// `json.Marshal(read)`, instead of through its `$returns`. Then CUE needs all that
// calls return. The result may be true without need, never false. The identifiers of file have to
// be resolved.
func CallsUsedAsValues(file *ast.File) bool {
	calls := callFields(file)
	used := false
	ast.Walk(file, func(n ast.Node) bool { return calls.findUse(n, &used) }, nil)
	return used
}

// NameSet is a set of names of declarations.
type NameSet map[string]bool

// callFields returns the top-level fields of a template that make calls. Its identifiers have to
// be resolved.
func callFields(file *ast.File) NameSet {
	sites, fields := newCallSites(file), NameSet{}
	for name, value := range eachDeclaration(file.Decls) {
		if !IsDefinition(name) && sites.make(value, false) {
			fields[name] = true
		}
	}
	return fields
}

func isLenCall(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.Ident)
	return ok && f.Name == "len"
}

// eachDeclaration iterates over the fields and let clauses in decls, and those in
// their comprehensions.
func eachDeclaration(decls []ast.Decl) iter.Seq2[string, ast.Node] {
	return func(yield func(string, ast.Node) bool) {
		for _, d := range decls {
			switch d := d.(type) {
			case *ast.Field:
				if !yield(LabelName(d.Label), d.Value) {
					return
				}
			case *ast.LetClause:
				if !yield(d.Ident.Name, d.Expr) {
					return
				}
			case *ast.Comprehension:
				if s, ok := d.Value.(*ast.StructLit); ok {
					for name, value := range eachDeclaration(s.Elts) {
						if !yield(name, value) {
							return
						}
					}
				}
			}
		}
	}
}

// findUse sets used where n uses one of the calls m as a value. It reports whether
// the children of n have to be searched as well.
func (m NameSet) findUse(n ast.Node, used *bool) bool {
	search := func(n ast.Node) { ast.Walk(n, func(n ast.Node) bool { return m.findUse(n, used) }, nil) }
	switch n := n.(type) {
	case *ast.ForClause:
		if root, throughReturns := rootIdent(n.Source); m[root] && !throughReturns {
			for _, id := range []*ast.Ident{n.Key, n.Value} {
				if id != nil {
					m[id.Name] = true
				}
			}
			return false
		}
		search(n.Source)
		return false
	case *ast.CallExpr:
		if isLenCall(n) {
			return false
		}
	case *ast.Field:
		if _, isIdent := n.Label.(*ast.Ident); !isIdent {
			search(n.Label)
		}
		search(n.Value)
		return false
	case *ast.LetClause:
		search(n.Expr)
		return false
	case *ast.SelectorExpr, *ast.IndexExpr:
		root, throughReturns := rootIdent(n)
		*used = *used || m[root] && !throughReturns
		return root == "" // a computed root
	case *ast.Ident:
		*used = *used || m[n.Name]
	}
	return true
}

// rootIdent returns the identifier at the start of a path, and whether the path leads
// through `$returns`.
func rootIdent(n ast.Node) (root string, throughReturns bool) {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name, false
	case *ast.ParenExpr:
		return rootIdent(n.X)
	case *ast.SelectorExpr:
		root, throughReturns = rootIdent(n.X)
		return root, throughReturns || slices.Contains([]string{"$returns", "err"}, LabelName(n.Sel))
	case *ast.IndexExpr:
		root, throughReturns = rootIdent(n.X)
		name, _ := stringLiteral(n.Index)
		return root, throughReturns || name == "$returns"
	}
	return "", false
}

// NamesReturns reports whether a template has the text "$returns", which may be the name of
// a field other than that of a call.
func NamesReturns(file *ast.File) bool {
	return Contains(file, func(n ast.Node) bool {
		x, _ := n.(ast.Expr)
		text, _ := stringLiteral(x)
		return text == "$returns"
	})
}
