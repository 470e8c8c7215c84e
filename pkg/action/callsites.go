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
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// callSite is where a template names a function.
type callSite struct {
	// field is the top-level field of the call; empty for one in a definition, a let clause or
	// a hidden field, whose calls are made where it is used.
	field string
	call  provider.Call
	line  int
}

// function returns the name of the function, such as "kube.patch".
func (s callSite) function() string { return s.call.Provider + "." + s.call.Do }

// key is equal for calls of one function in one field.
func (s callSite) key() string { return s.field + " " + s.function() }

// callSites returns where the template names functions that may need rights.
func (t *Template) callSites() ([]callSite, error) {
	file, err := expr.ParseSyntax(t.name+".cue", t.source)
	if err != nil {
		return nil, err
	}
	functionAt := newFunctionFinder(file, t.library)
	var out []callSite
	for _, d := range file.Decls {
		field := ""
		if f, ok := d.(*ast.Field); ok && !expr.IsDefinition(expr.LabelName(f.Label)) {
			field = expr.LabelName(f.Label)
		}
		ast.Walk(d, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if call, ok := functionAt(sel); ok && provider.NeedsRights(call) {
					out = append(out, callSite{field, call, sel.Pos().Line()})
				}
			}
			return true
		}, nil)
	}
	return out, nil
}

// selectors returns the names of the fields that the template selects anywhere.
func (t *Template) selectors() []string {
	file, err := expr.ParseSyntax(t.name+".cue", t.source)
	if err != nil {
		return nil
	}
	var out []string
	ast.Walk(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if name := expr.LabelName(sel.Sel); name != "" && !expr.IsDefinition(name) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
		return true
	}, nil)
	return out
}

// withoutConditions returns the template without the conditions that lead to calls, and without
// those that select elements of lists, as far as they do not ask whether a field exists.
func (t *Template) withoutConditions() (*Template, error) {
	return t.rewrite(func(_ *ast.File, c *ast.Comprehension, calls bool) {
		loops := slices.ContainsFunc(c.Clauses, func(c ast.Clause) bool { _, ok := c.(*ast.ForClause); return ok })
		if loops || calls {
			keepClauses(c, asksExistence)
		}
	})
}

// withConditionsOnProperties returns the template with calls that only conditions on the
// properties lead to. Loops around calls have one element, which is not known.
func (t *Template) withConditionsOnProperties() (*Template, error) {
	return t.rewrite(func(file *ast.File, c *ast.Comprehension, calls bool) {
		if !calls {
			return
		}
		keepClauses(c, func(x ast.Expr) bool { return dependsOnPropertiesOnly(file, x, map[string]bool{}) })
		for _, clause := range c.Clauses {
			if loop, ok := clause.(*ast.ForClause); ok {
				loop.Source = ast.NewList(ast.NewIdent("_"))
			}
		}
	})
}

// rewrite returns the template with changed comprehensions. calls is set for those with calls.
func (t *Template) rewrite(change func(file *ast.File, c *ast.Comprehension, calls bool)) (*Template, error) {
	file, err := expr.ParseSyntax(t.name+".cue", t.source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	functionAt := newFunctionFinder(file, t.library)
	ast.Walk(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.Comprehension); ok {
			change(file, c, refersTo(c.Value, functionAt, func(provider.Call) bool { return true }))
		}
		return true
	}, nil)
	dropUnused(file)
	text, err := format.Node(file)
	if err != nil {
		return nil, err
	}
	out := *t
	out.source, out.trees, out.withResult = string(text), &templateTrees{}, nil
	if file, err = out.parseForStages(); err != nil {
		return nil, err
	}
	out.analyse(file)
	return &out, nil
}

// keepClauses removes the conditions of a comprehension that keep does not select. If there would
// be no clause, it has a condition that is always true.
func keepClauses(c *ast.Comprehension, keep func(ast.Expr) bool) {
	var kept []ast.Clause
	for _, clause := range c.Clauses {
		if condition, ok := clause.(*ast.IfClause); !ok || keep(condition.Condition) {
			kept = append(kept, clause)
		}
	}
	if len(kept) == 0 {
		kept = []ast.Clause{&ast.IfClause{Condition: ast.NewBool(true)}}
	}
	c.Clauses = kept
}

// dependsOnPropertiesOnly reports whether x depends on the properties at most: on neither the
// event, nor a call, nor a variable of a loop.
func dependsOnPropertiesOnly(file *ast.File, x ast.Node, seen map[string]bool) bool {
	only := true
	ast.Walk(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field: // its label is no reference
			only = only && dependsOnPropertiesOnly(file, n.Value, seen)
			return false
		case *ast.SelectorExpr:
			only = only && dependsOnPropertiesOnly(file, n.X, seen)
			return false
		case *ast.Ident:
			only = only && isPropertyName(file, n.Name, seen)
		}
		return only
	}, nil)
	return only
}

// isPropertyName reports whether a name stands for something that depends on the properties at
// most.
func isPropertyName(file *ast.File, name string, seen map[string]bool) bool {
	if name == "parameter" || seen[name] || slices.Contains([]string{"_", "true", "false", "null", "len", "string", "int", "bool", "number"}, name) {
		return true
	}
	seen[name] = true
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if importName(spec, path) == name {
			return !strings.HasPrefix(path, "vela/")
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.LetClause:
			if d.Ident.Name == name {
				return dependsOnPropertiesOnly(file, d.Expr, seen)
			}
		case *ast.Field:
			if expr.LabelName(d.Label) == name {
				return dependsOnPropertiesOnly(file, d.Value, seen)
			}
		}
	}
	return false
}

// dropUnused removes let clauses and imports that nothing refers to, which are errors.
func dropUnused(file *ast.File) {
	for removed := true; removed; {
		uses := map[string]int{}
		ast.Walk(file, func(n ast.Node) bool {
			if x, ok := n.(*ast.Ident); ok {
				uses[x.Name]++
			}
			return true
		}, nil)
		before := len(file.Decls)
		file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
			let, ok := d.(*ast.LetClause)
			return ok && uses[let.Ident.Name] == 1
		})
		removed = len(file.Decls) < before
	}
	expr.DropUnusedImports(file)
}

// asksExistence reports whether a condition compares something with bottom.
func asksExistence(x ast.Expr) bool {
	return expr.Contains(x, func(n ast.Node) bool { _, isBottom := n.(*ast.BottomLit); return isBottom })
}
