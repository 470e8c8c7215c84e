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

package expr_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cuelang.org/go/cue/ast"
	cueformat "cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// TestCopy copies a file with every kind of node, and the built-in actions.
func TestCopy(t *testing.T) {
	files, err := filepath.Glob("../../actions/*.cue")
	if err != nil || len(files) == 0 {
		t.Fatalf("no actions: %v", err)
	}
	sources := map[string]string{"all kinds of nodes": `
package p

import ("strings", l "list")

@attribute(a)
// A comment.
let L = 1 // another
f: A={x: A.y, y: 2 @tag(b)
...}
[N=string]: a?: _|_
"a\(L)b"!: (-L + 1)*2
g: [1, ...] | *strings.Fields("a")[0:1][0]
h: {if g != _|_ for i, x in h let M = x {(i): M}}
X=k: X.a["b"]
l.Sort
`}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources[file] = string(text)
	}
	for name, source := range sources {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file, err := parser.ParseFile("x.cue", source, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			before := formatted(t, file)
			other := expr.Copy(file)
			if got := formatted(t, other); got != before {
				t.Errorf("the copy is\n%s\ninstead of\n%s", got, before)
			}
			nodes := nodesOf(file)
			ast.Walk(other, func(n ast.Node) bool {
				if nodes[n] || slices.ContainsFunc(ast.Comments(n), func(g *ast.CommentGroup) bool { return nodes[g] }) {
					t.Errorf("%T at %s is shared", n, n.Pos())
				}
				if id, ok := n.(*ast.Ident); ok && (nodes[id.Node] || nodes[id.Scope]) {
					t.Errorf("%s at %s refers to the original", id.Name, id.Pos())
				}
				return true
			}, nil)
			for _, id := range other.Unresolved {
				if nodes[id] {
					t.Errorf("unresolved %s is shared", id.Name)
				}
			}
			for _, spec := range other.Imports {
				if nodes[spec] {
					t.Errorf("import %s is shared", spec.Path.Value)
				}
			}
			if err := expr.ApplyRules(other); err != nil {
				t.Fatal(err)
			}
			if got := formatted(t, file); got != before {
				t.Errorf("a change of the copy changes the original to\n%s", got)
			}
		})
	}
}

func formatted(t *testing.T, file *ast.File) string {
	t.Helper()
	text, err := cueformat.Node(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func nodesOf(file *ast.File) map[ast.Node]bool {
	nodes := map[ast.Node]bool{}
	ast.Walk(file, func(n ast.Node) bool {
		nodes[n] = true
		for _, group := range ast.Comments(n) {
			nodes[group] = true
		}
		return true
	}, nil)
	return nodes
}
