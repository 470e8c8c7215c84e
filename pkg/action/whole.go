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
	"maps"
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

// holders returns the top-level fields whose values make calls.
func holders(file *ast.File) names {
	m, h := makers(file), names{}
	for name := range declarations(file.Decls) {
		if m[name] && !isDefinition(name) {
			h[name] = true
		}
	}
	return h
}

// makers returns the names of what makes calls: packages, and declarations that
// refer to another maker. What a call returns makes none.
func makers(file *ast.File) names {
	m := names{}
	for _, spec := range file.Imports {
		if path := strings.Trim(spec.Path.Value, `"`); strings.HasPrefix(path, "vela/") {
			m[path[strings.LastIndex(path, "/")+1:]] = true
			if spec.Name != nil {
				m[spec.Name.Name] = true
			}
		}
	}
	known := names{}
	for name := range declarations(file.Decls) {
		known[name] = true
	}
	for grown := true; grown; {
		grown = false
		for name, value := range declarations(file.Decls) {
			if m[name] || name == "context" || name == "parameter" || name == parameterSchema {
				continue
			}
			if m.madeIn(value, known) {
				m[name], grown = true, true
			}
		}
	}
	return m
}

// madeIn reports whether n refers to a maker, or to a definition that is not
// known. Its length, and what it returns, are no call.
func (m names) madeIn(n ast.Node, known names) bool {
	found := false
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForClause:
			if root, throughReturns := chain(n.Source); n.Value != nil && m[root] && !throughReturns {
				m = maps.Clone(m)
				m[n.Value.Name] = true
				return false
			}
		case *ast.CallExpr:
			return !isLen(n)
		case *ast.SelectorExpr, *ast.IndexExpr:
			if _, throughReturns := chain(n); throughReturns {
				return false
			}
		case *ast.Ident:
			found = found || m[n.Name] || isDefinition(n.Name) && !known[n.Name]
		}
		return !found
	}, nil)
	return found
}

func isLen(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.Ident)
	return ok && f.Name == "len"
}

func isDefinition(name string) bool { return strings.HasPrefix(strings.TrimPrefix(name, "_"), "#") }

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

func (m names) visit(n ast.Node, whole *bool) bool {
	again := func(n ast.Node) { ast.Walk(n, func(n ast.Node) bool { return m.visit(n, whole) }, nil) }
	switch n := n.(type) {
	case *ast.ForClause:
		if root, throughReturns := chain(n.Source); m[root] && !throughReturns {
			for _, id := range []*ast.Ident{n.Key, n.Value} {
				if id != nil {
					m[id.Name] = true
				}
			}
			return false
		}
		again(n.Source)
		return false
	case *ast.CallExpr:
		if isLen(n) {
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
		*whole = *whole || m[root] && !throughReturns
		return root == "" // a computed root; look into it
	case *ast.Ident:
		*whole = *whole || m[n.Name]
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
