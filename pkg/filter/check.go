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

package filter

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// valueKind is what is known of the values that an expression may have.
type valueKind string

const (
	unknownKind valueKind = ""
	boolKind    valueKind = "a boolean"
	stringKind  valueKind = "a string"
	numberKind  valueKind = "a number"
	structKind  valueKind = "a struct"
	listKind    valueKind = "a list"
	nonBoolKind valueKind = "no boolean"
)

// checker finds what a filter says that cannot be, before there is any event.
type checker struct {
	*Expression
	schema ast.Expr
	diagnostics
}

func check(s *Expression) (diag.List, error) {
	schema, err := parser.ParseExpr("schema", event.Schema)
	if err != nil {
		return nil, err
	}
	c := &checker{Expression: s, schema: schema}
	c.checkImports()
	ast.Walk(s.file, c.visit, nil)
	for _, f := range s.Constraints {
		c.checkConstraint(f.Value, c.schema, "context")
	}
	for _, x := range s.Conditions {
		c.checkCondition(x)
	}
	return c.list, nil
}

func (c *checker) checkImports() {
	for _, d := range c.file.Decls {
		imports, ok := d.(*ast.ImportDecl)
		if !ok {
			continue
		}
		for _, spec := range imports.Specs {
			switch path := importPath(spec); {
			case path == "vela" || strings.HasPrefix(path, "vela/"):
				c.add(spec.Path, "a filter cannot import %q: it decides with what the event holds, and calls no providers", path)
			case !slices.Contains(standardLibrary(), path):
				c.add(spec.Path, "a filter can import only CUE's standard library, which has no %q%s", path, diag.Suggest(path, standardLibrary()))
			}
		}
	}
}

// visit checks each path below context, and each regular expression.
func (c *checker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op == token.MAT || n.Op == token.NMAT {
			c.checkRegexp(n.Y)
		}
	case *ast.UnaryExpr:
		if n.Op == token.MAT || n.Op == token.NMAT {
			c.checkRegexp(n.X)
		}
	case *ast.SelectorExpr:
		c.checkField(n.X, n.Sel)
	case *ast.IndexExpr:
		if lit, ok := n.Index.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			c.checkField(n.X, lit)
		}
	}
	return true
}

func (c *checker) checkRegexp(x ast.Expr) {
	if lit, ok := x.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if s, err := literal.Unquote(lit.Value); err == nil {
			if _, err := regexp.Compile(s); err != nil {
				c.add(lit, "%v", err)
			}
		}
	}
}

// checkField checks that x, if it is context or a part of it, has field.
func (c *checker) checkField(x ast.Expr, field ast.Label) {
	r, ok := c.Reference(x)
	name, static := selectorName(field)
	if !ok || !static || r.Computed {
		return
	}
	if at := c.schemaOf(r); at != nil {
		c.checkName(field, name, at, r.String())
	}
}

// checkName checks that the part of context at path, declared as schema, may
// have a field of that name, and returns how that is declared, or nil.
func (c *checker) checkName(at ast.Node, name string, schema ast.Expr, path string) ast.Expr {
	s, ok := schema.(*ast.StructLit)
	if !ok {
		c.add(at, "%s is %s, which has no field %q", path, c.schemaKind(schema), name)
		return nil
	}
	fields, open := schemaFields(s)
	if next, ok := fields[name]; ok || open {
		return next
	}
	known := slices.Sorted(maps.Keys(fields))
	c.add(at, "%s has no field %q (it has %s)%s", path, name, strings.Join(known, ", "), diag.Suggest(name, known))
	return nil
}

// checkConstraint checks the fields of x, a constraint on the part of context
// at path, which is declared as schema.
func (c *checker) checkConstraint(x, schema ast.Expr, path string) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		c.checkConstraint(x.X, schema, path)
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			c.checkConstraint(x.X, schema, path)
			c.checkConstraint(x.Y, schema, path)
		}
	case *ast.StructLit:
		for _, d := range x.Elts {
			f, ok := d.(*ast.Field)
			if !ok {
				continue
			}
			if name, static := selectorName(f.Label); static {
				if next := c.checkName(f.Label, name, schema, path); next != nil {
					c.checkConstraint(f.Value, next, path+"."+name)
				}
			}
		}
	}
}

// schemaOf returns how the schema declares r, or nil where it says nothing.
func (c *checker) schemaOf(r Reference) ast.Expr {
	at := c.schema
	for _, s := range r.steps {
		decl, ok := at.(*ast.StructLit)
		if !ok || s.isIndex {
			return nil
		}
		fields, _ := schemaFields(decl)
		at = fields[s.field]
	}
	return at
}

// schemaFields returns the fields of a struct of the schema, and whether it may have
// others.
func schemaFields(s *ast.StructLit) (fields map[string]ast.Expr, open bool) {
	fields = map[string]ast.Expr{}
	for _, d := range s.Elts {
		switch d := d.(type) {
		case *ast.Field:
			if name, _, err := ast.LabelName(d.Label); err == nil {
				fields[name] = d.Value
			}
		case *ast.Ellipsis:
			open = true
		}
	}
	return fields, open
}

// schemaKind returns the kind of what the schema declares.
func (c *checker) schemaKind(x ast.Expr) valueKind {
	switch x := x.(type) {
	case *ast.StructLit:
		return structKind
	case *ast.Ident:
		if x.Name == "string" {
			return stringKind
		}
	}
	return unknownKind
}
