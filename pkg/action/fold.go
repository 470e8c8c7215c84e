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

// FoldConstants replaces what depends on nothing but the parameter, which file declares as
// data, by what it becomes: then it is not evaluated with each event. Neither is
// what refers to varying fields, nor to calls. The identifiers of file must be
// resolved, and are so afterwards.
func FoldConstants(file *ast.File, varying []string) error {
	c := constantFolder{file: file, constant: constantDeclarations(file, varying)}
	values, err := c.evaluate(c.foldable())
	if err != nil {
		return err
	}
	astutil.Apply(file, func(at astutil.Cursor) bool {
		x, ok := at.Node().(ast.Expr)
		if ok && values[x] != nil {
			at.Replace(values[x])
		}
		return !ok || values[x] == nil
	}, nil)
	simplify(file)
	return resolve(file)
}

// constantFolder finds the expressions of a file that depend on the parameter alone.
type constantFolder struct {
	file     *ast.File
	constant NameSet
}

// constantDeclarations returns the names of the top-level fields and let clauses that
// depend on the parameter alone, and of the parameter.
func constantDeclarations(file *ast.File, varying []string) NameSet {
	c := constantFolder{file: file, constant: NameSet{}}
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
				// It may add to any field.
				for name := range eachDeclaration([]ast.Decl{d}) {
					shrunk = shrunk || c.constant[name]
					delete(c.constant, name)
				}
				continue
			}
			if !ok {
				return NameSet{} // such as a pattern, which constrains them all
			}
			if c.constant[name] && (slices.Contains(varying, name) || IsDefinition(name) || !c.isConstant(d)) {
				delete(c.constant, name)
				shrunk = true
			}
		}
	}
	return c.constant
}

// isConstant reports whether all that n refers to is within it, fixed, or CUE's own,
// and it is no call.
func (c constantFolder) isConstant(n ast.Node) bool {
	within := map[ast.Node]bool{}
	ast.Walk(n, func(n ast.Node) bool {
		within[n] = true
		return true
	}, nil)
	fixed := true
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			fixed = fixed && labelName(n.Label) != "#do"
		case *ast.Ident:
			fixed = fixed && c.refersToConstant(n, within)
		}
		return fixed
	}, nil)
	return fixed
}

func (c constantFolder) refersToConstant(id *ast.Ident, within map[ast.Node]bool) bool {
	if spec, ok := id.Node.(*ast.ImportSpec); ok {
		return !strings.HasPrefix(strings.Trim(spec.Path.Value, `"`), "vela/")
	}
	return id.Node == nil || within[id.Scope] || id.Scope == c.file && c.constant[id.Name]
}

// foldable returns the largest expressions that are fixed and refer to what is
// declared elsewhere, outside of declarations that are fixed as a whole.
func (c constantFolder) foldable() []ast.Expr {
	var found []ast.Expr
	for _, d := range c.file.Decls {
		if name, ok := declaredName(d); ok && c.constant[name] {
			continue
		}
		astutil.Apply(d, func(at astutil.Cursor) bool {
			if f, ok := parentNode(at).(*ast.Field); ok && f.Label == at.Node() {
				return false
			}
			x, ok := at.Node().(ast.Expr)
			if !ok || isClause(at) || !c.refersToDeclaration(x) || !c.isConstant(x) {
				return true
			}
			found = append(found, x)
			return false
		}, nil)
	}
	return found
}

// isClause reports whether a node has to stay of its kind.
func isClause(at astutil.Cursor) bool {
	switch at.Node().(type) {
	case *ast.Comprehension, *ast.Ellipsis, *ast.Alias:
		return true
	}
	_, ok := parentNode(at).(*ast.Comprehension)
	return ok
}

func parentNode(at astutil.Cursor) ast.Node {
	if at.Parent() == nil {
		return nil
	}
	return at.Parent().Node()
}

// refersToDeclaration reports whether n refers to a fixed declaration of the file.
func (c constantFolder) refersToDeclaration(n ast.Node) bool {
	found := false
	ast.Walk(n, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Node != nil && id.Scope == c.file && c.constant[id.Name]
		return !found
	}, nil)
	return found
}

// evaluate returns what expressions become. Those that do not become data are not
// in it.
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
	if err := resolve(file); err != nil {
		return nil, err
	}
	dropUnused(file)
	if err := resolve(file); err != nil {
		return nil, err
	}
	inst := build.NewContext().NewInstance("", nil)
	if err := inst.AddSyntax(file); err != nil {
		return nil, err
	}
	v := cuecontext.New().BuildInstance(inst)
	values := map[ast.Expr]ast.Expr{}
	for i, x := range expressions {
		text := constant(v.LookupPath(cue.MakePath(cue.Str(fmt.Sprint(i)))))
		if text == "" {
			continue
		}
		if values[x], err = parser.ParseExpr("constants.cue", text); err != nil {
			return nil, err
		}
	}
	return values, nil
}
