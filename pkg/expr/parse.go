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
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/types"
)

// ParseFile parses CUE in which == and != compare values of all kinds, also structs:
// values of different kinds differ. Packages of the standard library that it does not
// import are imported.
func ParseFile(filename, source string, options ...parser.Option) (*ast.File, error) {
	file, err := ParseSyntax(filename, source, options...)
	if err != nil {
		return nil, err
	}
	if err := compareAllKinds(file); err != nil {
		return nil, err
	}
	implyImports(file)
	return file, nil
}

// ParseSyntax is parser.ParseFile, except that it returns an error where that panics: on an alias
// of a field with an incomplete value, such as "a=0:a!0".
func ParseSyntax(filename, source string, options ...parser.Option) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.Newf(token.NoPos, "syntax error: CUE cannot parse the text, and does not say where; check the values of fields with an alias, such as x in `x=name: value`")
		}
	}()
	return parser.ParseFile(filename, source, options...)
}

// compareAllKinds makes == and != in the file of n compare values of all kinds. CUE does
// so in a file with an attribute; setting what the attribute sets keeps all positions.
func compareAllKinds(n ast.Node) error {
	attributed, err := parser.ParseFile("", "@experiment(structcmp)\nx: 1")
	if err != nil {
		return err
	}
	experiments := attributed.Decls[len(attributed.Decls)-1].Pos().Experiment()
	ast.Walk(n, func(n ast.Node) bool {
		if f := n.Pos().File(); f != nil {
			f.SetExperiments(&experiments)
			return false
		}
		return true
	}, nil)
	return nil
}

// implyImports imports the packages of the standard library that file refers to and
// does not import.
func implyImports(file *ast.File) {
	specs := map[string]*ast.ImportSpec{}
	for _, spec := range file.Imports {
		specs[importName(spec)] = spec
	}
	ast.Walk(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		id, ok := sel.X.(*ast.Ident)
		if !ok || id.Node != nil {
			return true
		}
		path := libraryPackage(id.Name)
		if path == "" {
			return true
		}
		if specs[id.Name] == nil {
			specs[id.Name] = ast.NewImport(nil, path)
			addImport(file, specs[id.Name])
		}
		id.Node = specs[id.Name]
		return true
	}, nil)
}

// addImport adds an import to file, behind its package clause.
func addImport(file *ast.File, spec *ast.ImportSpec) {
	at := slices.IndexFunc(file.Decls, func(d ast.Decl) bool {
		switch d.(type) {
		case *ast.Package, *ast.Attribute, *ast.CommentGroup:
			return false
		}
		return true
	})
	file.Decls = slices.Insert(file.Decls, max(at, 0), ast.Decl(&ast.ImportDecl{Specs: []*ast.ImportSpec{spec}}))
	file.Imports = append(file.Imports, spec)
}

// libraryPackage returns the path of the package of the standard library that is called
// name, or "".
func libraryPackage(name string) string {
	for _, path := range types.StandardLibrary() {
		if path[strings.LastIndex(path, "/")+1:] == name {
			return path
		}
	}
	return ""
}

// maxNesting limits the brackets within each other in a filter. CUE evaluates nested
// values recursively.
const maxNesting = 100

// nesting returns how many brackets are within each other in text, at most.
func nesting(text string) int {
	var s scanner.Scanner
	s.Init(token.NewFile("", -1, len(text)), []byte(text), nil, 0)
	depth, deepest := 0, 0
	for {
		switch _, tok, _ := s.Scan(); tok {
		case token.LPAREN, token.LBRACK, token.LBRACE:
			depth++
			deepest = max(deepest, depth)
		case token.RPAREN, token.RBRACK, token.RBRACE:
			depth--
		case token.EOF:
			return deepest
		}
	}
}
