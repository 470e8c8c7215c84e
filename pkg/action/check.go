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
	"maps"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/types"
)

// checkNames reports references to packages, definitions of packages and fields of
// `context` that do not exist. CUE itself reports them only as incomplete values.
func checkNames(file *ast.File, context []string, l library) diag.List {
	known := map[string][]string{"context": context}
	descriptions := map[string]string{"context": "context"}
	var list diag.List
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		path, _, _ = strings.Cut(path, ":")
		p, ok := l[path]
		switch {
		case ok:
			name := importName(spec, path)
			known[name], descriptions[name] = slices.Sorted(maps.Keys(p.functions())), path
		case strings.Contains(strings.SplitN(path, "/", 2)[0], ".") || strings.HasPrefix(path, "vela/"):
			names := l.paths()
			list = append(list, diagnosticAt(spec.Pos(), "unknown package %q%s; known packages: %s", path, diag.Suggest(path, names), strings.Join(names, ", ")))
		case !slices.Contains(types.StandardLibrary(), path):
			list = append(list, diagnosticAt(spec.Pos(), "unknown package %q%s", path, diag.Suggest(path, append(l.paths(), types.StandardLibrary()...))))
		}
	}
	ast.Walk(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		root, ok := sel.X.(*ast.Ident)
		if !ok || known[root.Name] == nil {
			return true
		}
		names := known[root.Name]
		if name := expr.LabelName(sel.Sel); !slices.Contains(names, name) {
			list = append(list, diagnosticAt(sel.Sel.Pos(), "%s has no %q%s; it has %s", descriptions[root.Name], name, diag.Suggest(name, names), strings.Join(names, ", ")))
		}
		return true
	}, nil)
	return list
}

// refersTo reports whether n refers to a function that is of some kind, such as provider.HasEffect.
func refersTo(n ast.Node, functionAt functionFinder, is func(provider.Call) bool) bool {
	return expr.Contains(n, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		call, ok := functionAt(sel)
		return ok && is(call)
	})
}

// importName returns the name of an imported package in its file.
func importName(spec *ast.ImportSpec, path string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return path[strings.LastIndex(path, "/")+1:]
}

func diagnosticAt(pos token.Pos, format string, args ...any) diag.Diagnostic {
	return diag.Diagnostic{Line: pos.Line(), Column: pos.Column(), Message: fmt.Sprintf(format, args...)}
}
