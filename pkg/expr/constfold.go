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
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
)

// FoldConstants replaces the expressions of file that depend on the parameter alone
// by their values, so that they are not evaluated for each event. file declares the
// parameter as data. Expressions that depend on the varying fields, on the varying parts
// of the parameter, or on calls, are kept; parts are paths below the parameter. The
// identifiers of file have to be resolved, and are resolved afterwards.
func FoldConstants(file *ast.File, varying []string, parts [][]string) error {
	c := constantFolder{file: file, constant: constantDeclarations(file, varying, parts), parts: parts}
	values, err := c.evaluate(c.foldable())
	if err != nil {
		return err
	}
	astutil.Apply(file, func(cursor astutil.Cursor) bool {
		x, ok := cursor.Node().(ast.Expr)
		if ok && values[x] != nil {
			cursor.Replace(values[x])
		}
		return !ok || values[x] == nil
	}, nil)
	simplify(file)
	return Resolve(file)
}

// constantFolder finds the expressions of a file that depend on the parameter alone.
type constantFolder struct {
	file     *ast.File
	constant NameSet
	// varying are the names that are not constant, also where file does not declare
	// them.
	varying []string
	// parts are the paths of the parts of the parameter that vary.
	parts [][]string
}

// constantDeclarations returns the names of the parameter, and of the top-level
// fields and let clauses that depend on its constant parts alone.
func constantDeclarations(file *ast.File, varying []string, parts [][]string) NameSet {
	c := constantFolder{file: file, constant: NameSet{}, varying: varying, parts: parts}
	for _, d := range file.Decls {
		if name, ok := declaredName(d); ok {
			c.constant[name] = true
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
					shrunk = shrunk || c.constant[name]
					delete(c.constant, name)
				}
				continue
			}
			if !ok {
				return NameSet{} // for example a pattern, which constrains all fields
			}
			if name == "parameter" && len(parts) > 0 {
				continue // isConstant knows its parts
			}
			if c.constant[name] && (slices.Contains(varying, name) || IsDefinition(name) || !c.isConstant(d)) {
				delete(c.constant, name)
				shrunk = true
			}
		}
	}
	return c.constant
}

// isConstant reports whether n is not a call, and refers only to declarations that
// are constant or within n, and to CUE's own names.
func (c constantFolder) isConstant(n ast.Node) bool {
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
		case *ast.SelectorExpr:
			if path, ok := c.parameterPath(n); ok {
				constant = constant && !c.varies(path)
				return false
			}
		case *ast.Ident:
			constant = constant && c.refersToConstant(n, within)
		}
		return constant
	}, nil)
	return constant
}

// parameterPath returns the path of a part of the parameter that n selects.
func (c constantFolder) parameterPath(n *ast.SelectorExpr) (path []string, ok bool) {
	root, path := selectorPath(n)
	if root != "parameter" || !c.constant[root] {
		return nil, false
	}
	var x ast.Expr = n
	for {
		sel, ok := x.(*ast.SelectorExpr)
		if !ok {
			break
		}
		x = sel.X
	}
	id, ok := x.(*ast.Ident)
	return path, ok && id.Scope == c.file
}

// varies reports whether the part of the parameter at path contains, or is within, one
// that varies.
func (c constantFolder) varies(path []string) bool {
	return slices.ContainsFunc(c.parts, func(part []string) bool {
		n := min(len(part), len(path))
		return slices.Equal(part[:n], path[:n])
	})
}

func (c constantFolder) refersToConstant(id *ast.Ident, within map[ast.Node]bool) bool {
	if id.Name == "parameter" && id.Scope == c.file && len(c.parts) > 0 {
		return false
	}
	if spec, ok := id.Node.(*ast.ImportSpec); ok {
		return !strings.HasPrefix(importPath(spec), "vela/")
	}
	return id.Node == nil && !slices.Contains(c.varying, id.Name) || within[id.Scope] || id.Scope == c.file && c.constant[id.Name]
}

// foldable returns the largest constant expressions that refer to another
// declaration. Declarations that are constant as a whole are left out.
func (c constantFolder) foldable() []ast.Expr {
	var expressions []ast.Expr
	for _, d := range c.file.Decls {
		if name, ok := declaredName(d); ok && c.constant[name] {
			continue
		}
		astutil.Apply(d, func(cursor astutil.Cursor) bool {
			if f, ok := parentNode(cursor).(*ast.Field); ok && f.Label == cursor.Node() {
				return false
			}
			x, ok := cursor.Node().(ast.Expr)
			if !ok || isClause(cursor) || !c.refersToDeclaration(x) || !c.isConstant(x) {
				return true
			}
			expressions = append(expressions, x)
			return false
		}, nil)
	}
	return expressions
}

// isClause reports whether a node must not be replaced by another kind of node.
func isClause(c astutil.Cursor) bool {
	switch c.Node().(type) {
	case *ast.Comprehension, *ast.Ellipsis, *ast.Alias:
		return true
	}
	_, ok := parentNode(c).(*ast.Comprehension)
	return ok
}

func parentNode(c astutil.Cursor) ast.Node {
	if c.Parent() == nil {
		return nil
	}
	return c.Parent().Node()
}

// refersToDeclaration reports whether n refers to a constant declaration of the file.
func (c constantFolder) refersToDeclaration(n ast.Node) bool {
	found := false
	ast.Walk(n, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Node != nil && id.Scope == c.file && c.constant[id.Name]
		return !found
	}, nil)
	return found
}

// evaluate returns the values of expressions, without those whose value is not data.
func (c constantFolder) evaluate(expressions []ast.Expr) (map[ast.Expr]ast.Expr, error) {
	if len(expressions) == 0 {
		return nil, nil
	}
	var source strings.Builder
	for _, d := range c.file.Decls {
		_, imports := d.(*ast.ImportDecl)
		if name, ok := declaredName(d); imports || ok && c.constant[name] {
			text, err := format.Node(d)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&source, "%s\n", text)
		}
	}
	for i := range c.parts {
		fmt.Fprintf(&source, "%s: string\n", MessageField(i))
	}
	for i, x := range expressions {
		text, err := format.Node(x)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&source, "\"%d\": (%s)\n", i, text)
	}
	file, err := parser.ParseFile("constants.cue", source.String())
	if err != nil {
		return nil, err
	}
	if err := Resolve(file); err != nil {
		return nil, err
	}
	dropUnused(file)
	if err := Resolve(file); err != nil {
		return nil, err
	}
	inst := build.NewContext().NewInstance("", nil)
	if err := inst.AddSyntax(file); err != nil {
		return nil, err
	}
	v := cuecontext.New().BuildInstance(inst)
	values := map[ast.Expr]ast.Expr{}
	for i, x := range expressions {
		text := ConcreteSyntax(v.LookupPath(cue.MakePath(cue.Str(fmt.Sprint(i)))))
		if text == "" {
			continue
		}
		if values[x], err = parser.ParseExpr("constants.cue", text); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// ConcreteSyntax returns v as CUE, or "" where v is incomplete, or has hidden fields
// or definitions, which the text would lack.
func ConcreteSyntax(v cue.Value) string {
	if v.Validate(cue.Concrete(true)) != nil || hasHiddenFields(v) {
		return ""
	}
	text, err := format.Node(v.Syntax(cue.Final()))
	if err != nil {
		return ""
	}
	return string(text)
}

// hasHiddenFields reports whether v has hidden fields or definitions.
func hasHiddenFields(v cue.Value) bool {
	hidden := false
	v.Walk(func(v cue.Value) bool {
		it, err := v.Fields(cue.Hidden(true), cue.Definitions(true))
		for err == nil && it.Next() {
			label := it.Selector().LabelType()
			hidden = hidden || label != cue.StringLabel && label != cue.IndexLabel
		}
		return !hidden
	}, nil)
	return hidden
}
