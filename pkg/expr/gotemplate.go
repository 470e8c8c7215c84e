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
	"strconv"
	"strings"
	"text/template/parse"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr/gotemplate"
)

// GoTemplatePaths returns the paths of the properties that file executes as Go
// templates with context as their data: `template.Execute(parameter.PATH, context)`.
func GoTemplatePaths(file *ast.File) [][]string {
	var paths [][]string
	isCall := goTemplateCalls(file)
	ast.Walk(file, func(n ast.Node) bool {
		if path, ok := isCall(n); ok && !slices.ContainsFunc(paths, func(p []string) bool { return slices.Equal(p, path) }) {
			paths = append(paths, path)
		}
		return true
	}, nil)
	return paths
}

// ReplaceGoTemplates replaces the executions of the properties at paths in file by
// references to the fields that GoTemplateField names, whose values are the outputs.
func ReplaceGoTemplates(file *ast.File, paths [][]string) {
	isCall := goTemplateCalls(file)
	astutil.Apply(file, func(c astutil.Cursor) bool {
		path, ok := isCall(c.Node())
		i := slices.IndexFunc(paths, func(p []string) bool { return slices.Equal(p, path) })
		if !ok || i < 0 {
			return true
		}
		c.Replace(ast.NewIdent(GoTemplateField(i)))
		return false
	}, nil)
	if len(paths) > 0 {
		dropUnusedImports(file)
	}
}

// GoTemplateField returns the name of the field with the output of a Go template.
func GoTemplateField(index int) string { return "$goTemplate" + strconv.Itoa(index) }

// goTemplateCalls returns a function that reports whether a node of file executes a
// property with context as its data, and the path of the property.
func goTemplateCalls(file *ast.File) func(n ast.Node) (path []string, ok bool) {
	name := ""
	for _, spec := range file.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); path == "text/template" {
			name = "template"
			if spec.Name != nil {
				name = spec.Name.Name
			}
		}
	}
	return func(n ast.Node) (path []string, ok bool) {
		call, ok := n.(*ast.CallExpr)
		if !ok || name == "" || len(call.Args) != 2 {
			return nil, false
		}
		pkg, function := selectorPath(call.Fun)
		data, dataPath := selectorPath(call.Args[1])
		root, path := selectorPath(call.Args[0])
		return path, pkg == name && slices.Equal(function, []string{"Execute"}) && data == "context" && len(dataPath) == 0 && root == "parameter" && len(path) > 0
	}
}

// selectorPath returns the identifier at the start of x, and the names of its
// selectors.
func selectorPath(x ast.Expr) (root string, path []string) {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name, nil
	case *ast.SelectorExpr:
		root, path = selectorPath(x.X)
		return root, append(path, LabelName(x.Sel))
	}
	return "", nil
}

// goTemplate is a property that may be a Go template.
type goTemplate struct {
	path, source string
	// tree is nil where the source has no actions.
	tree *parse.Tree
}

// parseGoTemplate parses the property at path.
func parseGoTemplate(path []string, properties map[string]any) (goTemplate, error) {
	var value any = properties
	for _, name := range path {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	t := goTemplate{path: strings.Join(path, ".")}
	t.source, _ = value.(string)
	if !strings.Contains(t.source, "{{") {
		return t, nil
	}
	tree := parse.New("it")
	tree.Mode = parse.SkipFuncCheck
	var err error
	t.tree, err = tree.Parse(t.source, "{{", "}}", map[string]*parse.Tree{})
	return t, err
}

// CheckGoTemplates returns the syntax errors and the unknown functions in the Go
// templates at paths.
func CheckGoTemplates(paths [][]string, properties map[string]any) diag.List {
	var list diag.List
	for _, path := range paths {
		template, err := parseGoTemplate(path, properties)
		if err == nil && template.tree != nil {
			_, err = gotemplate.Parse(template.source) // which knows the functions
		}
		if err == nil {
			continue
		}
		// "template: it:3: message"
		parts := strings.SplitN(err.Error(), ":", 4)
		line, _ := strconv.Atoi(parts[min(2, len(parts)-1)])
		list = append(list, diag.Diagnostic{
			Path: template.path, Line: max(line, 1), Column: 1,
			Message: "invalid Go template: " + strings.TrimSpace(parts[len(parts)-1]),
		})
	}
	return list
}

// CheckResultReferences returns the invalid references to results in the Go template
// at path: `.results.NAME` or `index .results "NAME"`. validate returns the reason
// why a name is invalid, or "".
func CheckResultReferences(path []string, properties map[string]any, validate func(name string) string) diag.List {
	template, err := parseGoTemplate(path, properties)
	if err != nil || template.tree == nil {
		return nil //nolint:nilerr // CheckGoTemplates reports it
	}
	var list diag.List
	template.eachResult(template.tree.Root, true, func(name string, pos parse.Pos) {
		if reason := validate(name); reason != "" {
			before := template.source[:pos]
			list = append(list, diag.Diagnostic{
				Path: template.path, Line: 1 + strings.Count(before, "\n"), Column: len(before) - strings.LastIndex(before, "\n"),
				Message: "." + ResultsField + "." + name + ": " + reason,
			})
		}
	})
	return list
}

// eachResult calls visit with each result that n refers to. isContext is set where
// the dot is the context; within `with` and `range` only `$` is.
func (t goTemplate) eachResult(n parse.Node, isContext bool, visit func(name string, pos parse.Pos)) {
	branch := func(b parse.BranchNode, inner bool) {
		t.eachResult(b.Pipe, isContext, visit)
		t.eachResult(b.List, inner, visit)
		if b.ElseList != nil {
			t.eachResult(b.ElseList, isContext, visit)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, e := range n.Nodes {
			t.eachResult(e, isContext, visit)
		}
	case *parse.ActionNode:
		t.eachResult(n.Pipe, isContext, visit)
	case *parse.IfNode:
		branch(n.BranchNode, isContext)
	case *parse.WithNode:
		branch(n.BranchNode, false)
	case *parse.RangeNode:
		branch(n.BranchNode, false)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			t.command(c, isContext, visit)
		}
	}
}

// command calls visit with each result that a command refers to.
func (t goTemplate) command(c *parse.CommandNode, isContext bool, visit func(name string, pos parse.Pos)) {
	for i, arg := range c.Args {
		var path []string
		switch arg := arg.(type) {
		case *parse.FieldNode:
			if isContext {
				path = arg.Ident
			}
		case *parse.VariableNode:
			if arg.Ident[0] == "$" {
				path = arg.Ident[1:]
			}
		case *parse.PipeNode:
			t.eachResult(arg, isContext, visit)
		}
		if len(path) == 0 || path[0] != ResultsField {
			continue
		}
		if len(path) > 1 {
			visit(path[1], arg.Position())
		} else if name, ok := indexedName(c, i); ok {
			visit(name, arg.Position())
		}
	}
}

// indexedName returns the name in `index X "NAME"`, where X is the argument i of c.
func indexedName(c *parse.CommandNode, i int) (string, bool) {
	fun, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok || fun.Ident != "index" || i != 1 || len(c.Args) < 3 {
		return "", false
	}
	name, ok := c.Args[2].(*parse.StringNode)
	if !ok {
		return "", false
	}
	return name.Text, true
}
