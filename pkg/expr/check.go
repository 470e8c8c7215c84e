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
	"maps"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/types"
)

// checker finds the mistakes in an expression that CUE does not find without an
// event.
type checker struct {
	*Expression
	// context is the type of context.
	context datatype.Type
	types   *types.Analysis
	// bytes are the literals of bytes that are used as bytes.
	bytes map[ast.Node]bool
	// functions are those of packages, by their import paths.
	functions map[string][]string
	diagnostics
}

func newChecker(e *Expression) (*checker, error) {
	context, err := contextType()
	if err != nil {
		return nil, err
	}
	c := &checker{Expression: e, context: context, bytes: map[ast.Node]bool{}, functions: map[string][]string{}}
	c.types = types.Analyse(e.file, func(id *ast.Ident) (datatype.Type, bool) {
		if e.isContext(id) {
			return c.context, true
		}
		return datatype.Of(datatype.Any), len(e.helper(id)) > 1
	})
	return c, nil
}

// check returns the diagnostics of e: imports that are not allowed, fields that
// context never has, invalid regular expressions, bytes in place of text, and
// conditions that cannot be boolean.
func check(e *Expression) (diag.List, error) {
	c, err := newChecker(e)
	if err != nil {
		return nil, err
	}
	c.checkImports()
	ast.Walk(e.file, c.visit, nil)
	for _, f := range e.Constraints {
		c.checkConstraint(f.Value, c.context, "context")
	}
	for _, x := range e.Conditions {
		c.checkCondition(x)
		c.checkAlternatives(x)
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
				c.add(spec.Path, "cannot import %q: filters cannot call providers", path)
			case !slices.Contains(types.StandardLibrary(), path):
				c.add(spec.Path, "cannot import %q: not in CUE's standard library%s", path, diag.Suggest(path, types.StandardLibrary()))
			}
		}
	}
}

// visit checks each path below context, each regular expression, and each literal of
// bytes.
func (c *checker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		c.checkCall(n)
		if c.takesBytes(n) {
			for _, arg := range n.Args {
				c.bytes[arg] = true
			}
		}
	case *ast.BasicLit:
		if isBytes(n) && !c.bytes[n] {
			c.checkBytes(n)
		}
	case *ast.BinaryExpr:
		c.bytes[n.X], c.bytes[n.Y] = c.takesBytes(n.Y), c.takesBytes(n.X)
		if n.Op == token.MAT || n.Op == token.NMAT {
			c.checkRegexp(n.Y)
		}
		c.checkOperands(n)
		c.checkQuoted(n)
	case *ast.IfClause:
		c.checkAlternatives(n.Condition)
	case *ast.UnaryExpr:
		if n.Op == token.MAT || n.Op == token.NMAT {
			c.checkRegexp(n.X)
		}
	case *ast.SelectorExpr:
		c.checkFunction(n)
		c.checkField(n.X, n.Sel)
	case *ast.IndexExpr:
		c.checkIndex(n)
		if lit, ok := n.Index.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			c.checkField(n.X, lit)
		}
	}
	return true
}

// takesBytes reports whether x is a call of a function of bytes, which may return bytes.
func (c *checker) takesBytes(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := fun.X.(*ast.Ident)
	return ok && (strings.HasPrefix(c.imports[pkg.Name], "crypto/") || strings.HasPrefix(c.imports[pkg.Name], "encoding/"))
}

// checkBytes reports a literal of bytes, such as 'web', which equals no field of an
// event.
func (c *checker) checkBytes(lit *ast.BasicLit) {
	text, err := literal.Unquote(lit.Value)
	if err != nil {
		c.add(lit, "%s is bytes, and no field of an event is; use double quotes", lit.Value)
		return
	}
	c.add(lit, "%s is bytes, and no field of an event is; use double quotes: %q", lit.Value, text)
}

// isBytes reports whether x is a literal of bytes.
func isBytes(x ast.Expr) bool {
	lit, ok := x.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING && strings.HasPrefix(strings.TrimLeft(lit.Value, "#"), "'")
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

// checkField checks that x, where it is context or a part of it, may have the field.
func (c *checker) checkField(x ast.Expr, field ast.Label) {
	r, ok := c.Reference(x)
	name, static := fieldName(field)
	if !ok || !static || r.Computed {
		return
	}
	c.checkName(field, name, c.types.Of(x), r.String())
}

// checkName checks that the value at path, whose type is given, may have a field of that name.
func (c *checker) checkName(label ast.Node, name string, t datatype.Type, path string) {
	if _, ok := t.Field(name); ok {
		return
	}
	if !t.Kinds.Has(datatype.Struct) {
		c.add(label, "%s has no field %q: it is %s", path, name, t.Kinds)
		return
	}
	known := slices.Sorted(maps.Keys(t.Fields))
	hint := diag.Suggest(name, known)
	if meant := pathOf(name); hint == "" && path == "context" && meant != "" {
		hint = "; did you mean " + meant + "?"
	}
	c.add(label, "%s has no field %q (known fields: %s)%s", path, name, strings.Join(known, ", "), hint)
}

// checkConstraint checks the fields of x, a constraint on the value at path, whose type is given.
func (c *checker) checkConstraint(x ast.Expr, t datatype.Type, path string) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		c.checkConstraint(x.X, t, path)
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			c.checkConstraint(x.X, t, path)
			c.checkConstraint(x.Y, t, path)
		}
	case *ast.StructLit:
		for _, d := range x.Elts {
			f, ok := d.(*ast.Field)
			if !ok {
				continue
			}
			if name, static := fieldName(f.Label); static {
				c.checkName(f.Label, name, t, path)
				if next, ok := t.Field(name); ok {
					c.checkConstraint(f.Value, next, path+"."+name)
				}
			}
		}
	}
}
