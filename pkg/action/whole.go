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

package action

import (
	"iter"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
)

// callsUsedWhole reports whether a template uses a call as a value, such as
// `json.Marshal(read)`, instead of through its `$returns`. It errs on the side
// of yes: then all of what calls return reaches CUE.
func callsUsedWhole(file *ast.File) bool {
	h := holders(file)
	whole := false
	ast.Walk(file, func(n ast.Node) bool { return h.visit(n, &whole) }, nil)
	return whole
}

// names are those of values that are calls, or hold some.
type names map[string]bool

// holders returns the top-level fields whose values make calls: by a package, by
// a definition that may make one, or by another such field.
func holders(file *ast.File) names {
	h := names{}
	makers := names{}
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if strings.HasPrefix(path, "vela/") {
			makers[path[strings.LastIndex(path, "/")+1:]] = true
		}
		if spec.Name != nil {
			makers[spec.Name.Name] = true
		}
	}
	all := declarations(file.Decls)
	for grown := true; grown; {
		grown = false
		for name, value := range all {
			if h[name] || name == "context" || name == "parameter" || strings.HasPrefix(name, "#") {
				continue
			}
			ast.Walk(value, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && (makers[id.Name] || h[id.Name] || strings.HasPrefix(id.Name, "#")) {
					h[name], grown = true, true
				}
				return !h[name]
			}, nil)
		}
	}
	return h
}

// declarations returns the fields and let clauses among decls, also those under
// a condition.
func declarations(decls []ast.Decl) iter.Seq2[string, ast.Node] {
	return func(yield func(string, ast.Node) bool) {
		for _, d := range decls {
			switch d := d.(type) {
			case *ast.Field:
				if !yield(labelName(d.Label), d.Value) {
					return
				}
			case *ast.LetClause:
				if !yield(d.Ident.Name, d.Expr) {
					return
				}
			case *ast.Comprehension:
				if s, ok := d.Value.(*ast.StructLit); ok {
					for name, value := range declarations(s.Elts) {
						if !yield(name, value) {
							return
						}
					}
				}
			}
		}
	}
}

func (h names) visit(n ast.Node, whole *bool) bool {
	again := func(n ast.Node) { ast.Walk(n, func(n ast.Node) bool { return h.visit(n, whole) }, nil) }
	switch n := n.(type) {
	case *ast.ForClause:
		if root, throughReturns := chain(n.Source); h[root] && !throughReturns {
			for _, id := range []*ast.Ident{n.Key, n.Value} {
				if id != nil {
					h[id.Name] = true
				}
			}
			return false
		}
		again(n.Source)
		return false
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "len" {
			return false
		}
	case *ast.Field:
		if _, plain := n.Label.(*ast.Ident); !plain {
			again(n.Label)
		}
		again(n.Value)
		return false
	case *ast.LetClause:
		again(n.Expr)
		return false
	case *ast.SelectorExpr, *ast.IndexExpr:
		root, throughReturns := chain(n)
		*whole = *whole || h[root] && !throughReturns
		return root == "" // a computed root; look into it
	case *ast.Ident:
		*whole = *whole || h[n.Name]
	}
	return true
}

// chain returns the identifier that a chain of selectors and indices starts
// with, and whether it goes through `$returns`.
func chain(n ast.Node) (root string, throughReturns bool) {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name, false
	case *ast.ParenExpr:
		return chain(n.X)
	case *ast.SelectorExpr:
		root, throughReturns = chain(n.X)
		return root, throughReturns || slices.Contains([]string{"$returns", "err"}, labelName(n.Sel))
	case *ast.IndexExpr:
		return chain(n.X)
	}
	return "", false
}
