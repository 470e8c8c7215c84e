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
	"text/template/parse"

	"cuelang.org/go/cue/ast"

	"github.com/kubevela/kube-trigger/pkg/diag"
)

// GoTemplatePaths returns the paths of the properties that file executes as Go
// templates of the whole context.
func GoTemplatePaths(file *ast.File) [][]string {
	name := ""
	for _, spec := range file.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); path == "text/template" {
			name = "template"
			if spec.Name != nil {
				name = spec.Name.Name
			}
		}
	}
	var paths [][]string
	ast.Walk(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || name == "" || len(call.Args) != 2 {
			return true
		}
		fun, under := selectorPath(call.Fun)
		given, all := selectorPath(call.Args[1])
		root, path := selectorPath(call.Args[0])
		if fun == name && slices.Equal(under, []string{"Execute"}) && given == "context" && len(all) == 0 && root == "parameter" && len(path) > 0 {
			paths = append(paths, path)
		}
		return true
	}, nil)
	return paths
}

// selectorPath returns the identifier that x begins with, and what is selected of it.
func selectorPath(x ast.Expr) (root string, path []string) {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name, nil
	case *ast.SelectorExpr:
		root, path = selectorPath(x.X)
		return root, append(path, labelName(x.Sel))
	}
	return "", nil
}

// goTemplate is a property that is a Go template.
type goTemplate struct {
	path, source string
	tree         *parse.Tree
}

// parseGoTemplate parses the property at path. There is no tree where it is no template.
func parseGoTemplate(path []string, properties map[string]any) (goTemplate, error) {
	var at any = properties
	for _, name := range path {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	t := goTemplate{path: strings.Join(path, ".")}
	t.source, _ = at.(string)
	if !strings.Contains(t.source, "{{") {
		return t, nil
	}
	tree := parse.New("it")
	tree.Mode = parse.SkipFuncCheck
	var err error
	t.tree, err = tree.Parse(t.source, "{{", "}}", map[string]*parse.Tree{})
	return t, err
}

// checkGoTemplates returns what is wrong with the Go templates among properties.
func (t *Template) checkGoTemplates(properties map[string]any) diag.List {
	var list diag.List
	for _, path := range t.goTemplatePaths {
		text, err := parseGoTemplate(path, properties)
		if err == nil {
			continue
		}
		// "template: it:3: what is wrong"
		parts := strings.SplitN(err.Error(), ":", 4)
		line, _ := strconv.Atoi(parts[min(2, len(parts)-1)])
		list = append(list, diag.Diagnostic{
			Path: text.path, Line: max(line, 1), Column: 1,
			Message: "is no Go template: " + strings.TrimSpace(parts[len(parts)-1]),
		})
	}
	return list
}

// CheckResultReferences returns what is wrong with the results that the Go template at path
// refers to, as `.results.NAME` or `index .results "NAME"`.
func CheckResultReferences(path []string, properties map[string]any, wrong func(name string) string) diag.List {
	text, err := parseGoTemplate(path, properties)
	if err != nil || text.tree == nil {
		return nil //nolint:nilerr // it is a problem of malformed
	}
	var list diag.List
	text.eachResult(text.tree.Root, true, func(name string, pos parse.Pos) {
		if why := wrong(name); why != "" {
			before := text.source[:pos]
			list = append(list, diag.Diagnostic{
				Path: text.path, Line: 1 + strings.Count(before, "\n"), Column: len(before) - strings.LastIndex(before, "\n"),
				Message: "." + resultsField + "." + name + ": " + why,
			})
		}
	})
	return list
}

// eachResult calls found with every result that n names. Within `with` and `range` the
// dot is something else, and only `$` is the context.
func (t goTemplate) eachResult(n parse.Node, dot bool, found func(name string, pos parse.Pos)) {
	branch := func(b parse.BranchNode, inner bool) {
		t.eachResult(b.Pipe, dot, found)
		t.eachResult(b.List, inner, found)
		if b.ElseList != nil {
			t.eachResult(b.ElseList, dot, found)
		}
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, e := range n.Nodes {
			t.eachResult(e, dot, found)
		}
	case *parse.ActionNode:
		t.eachResult(n.Pipe, dot, found)
	case *parse.IfNode:
		branch(n.BranchNode, dot)
	case *parse.WithNode:
		branch(n.BranchNode, false)
	case *parse.RangeNode:
		branch(n.BranchNode, false)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			t.command(c, dot, found)
		}
	}
}

func (t goTemplate) command(c *parse.CommandNode, dot bool, found func(name string, pos parse.Pos)) {
	for i, arg := range c.Args {
		var path []string
		switch arg := arg.(type) {
		case *parse.FieldNode:
			if dot {
				path = arg.Ident
			}
		case *parse.VariableNode:
			if arg.Ident[0] == "$" {
				path = arg.Ident[1:]
			}
		case *parse.PipeNode:
			t.eachResult(arg, dot, found)
		}
		if len(path) == 0 || path[0] != resultsField {
			continue
		}
		if len(path) > 1 {
			found(path[1], arg.Position())
		} else if name, ok := indexedName(c, i); ok {
			found(name, arg.Position())
		}
	}
}

// indexedName returns the name with which the ith argument of an `index` is indexed.
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
