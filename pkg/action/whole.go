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

// CallsUsedAsValues reports whether a template uses a call as a value, such as
// `json.Marshal(read)`, instead of through its `$returns`. It errs on the side
// of yes: then all of what calls return reaches CUE.
func CallsUsedAsValues(file *ast.File) bool {
	h := CallFields(file)
	whole := false
	ast.Walk(file, func(n ast.Node) bool { return h.findUse(n, &whole) }, nil)
	return whole
}

// NameSet are those of values that are calls, or hold some.
type NameSet map[string]bool

// CallFields returns the top-level fields whose values make calls.
func CallFields(file *ast.File) NameSet {
	m, h := callers(file), NameSet{}
	for name := range eachDeclaration(file.Decls) {
		if m[name] && !IsDefinition(name) {
			h[name] = true
		}
	}
	return h
}

// callers returns the names of what makes calls: packages, and declarations that
// refer to another maker. What a call returns makes none.
func callers(file *ast.File) NameSet {
	m := NameSet{}
	for _, spec := range file.Imports {
		if path := strings.Trim(spec.Path.Value, `"`); strings.HasPrefix(path, "vela/") {
			m[path[strings.LastIndex(path, "/")+1:]] = true
			if spec.Name != nil {
				m[spec.Name.Name] = true
			}
		}
	}
	known := NameSet{}
	for name := range eachDeclaration(file.Decls) {
		known[name] = true
	}
	for grown := true; grown; {
		grown = false
		for name, value := range eachDeclaration(file.Decls) {
			if m[name] || name == "context" || name == "parameter" || name == parameterSchema {
				continue
			}
			if m.makesCall(value, known) {
				m[name], grown = true, true
			}
		}
	}
	return m
}

// makesCall reports whether n refers to a maker, or to a definition that is not
// known. Its length, and what it returns, are no call.
func (m NameSet) makesCall(n ast.Node, known NameSet) bool {
	found := false
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForClause:
			if root, throughReturns := rootIdent(n.Source); n.Value != nil && m[root] && !throughReturns {
				m = maps.Clone(m)
				m[n.Value.Name] = true
				return false
			}
		case *ast.CallExpr:
			return !isLenCall(n)
		case *ast.SelectorExpr, *ast.IndexExpr:
			if _, throughReturns := rootIdent(n); throughReturns {
				return false
			}
		case *ast.Ident:
			found = found || m[n.Name] || IsDefinition(n.Name) && !known[n.Name]
		}
		return !found
	}, nil)
	return found
}

func isLenCall(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.Ident)
	return ok && f.Name == "len"
}

func IsDefinition(name string) bool { return strings.HasPrefix(strings.TrimPrefix(name, "_"), "#") }

// eachDeclaration returns the fields and let clauses among decls, also those under
// a condition.
func eachDeclaration(decls []ast.Decl) iter.Seq2[string, ast.Node] {
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

func (m NameSet) findUse(n ast.Node, whole *bool) bool {
	again := func(n ast.Node) { ast.Walk(n, func(n ast.Node) bool { return m.findUse(n, whole) }, nil) }
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
		again(n.Source)
		return false
	case *ast.CallExpr:
		if isLenCall(n) {
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
		root, throughReturns := rootIdent(n)
		*whole = *whole || m[root] && !throughReturns
		return root == "" // a computed root; look into it
	case *ast.Ident:
		*whole = *whole || m[n.Name]
	}
	return true
}

// rootIdent returns the identifier that a chain of selectors and indices starts
// with, and whether it goes through `$returns`.
func rootIdent(n ast.Node) (root string, throughReturns bool) {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name, false
	case *ast.ParenExpr:
		return rootIdent(n.X)
	case *ast.SelectorExpr:
		root, throughReturns = rootIdent(n.X)
		return root, throughReturns || slices.Contains([]string{"$returns", "err"}, labelName(n.Sel))
	case *ast.IndexExpr:
		return rootIdent(n.X)
	}
	return "", false
}
