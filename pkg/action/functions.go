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
	"strconv"

	"cuelang.org/go/cue/ast"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// checkFunctions reports the functions in file that do not exist, and those that an action
// cannot call.
func checkFunctions(file *ast.File, functionAt functionFinder, l library) diag.List {
	var list diag.List
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if call, ok := functionAt(n); ok && provider.Refusal(call) != "" {
				pkg, _ := n.X.(*ast.Ident)
				list = append(list, diagnosticAt(n.Pos(), "%s.%s: %s", pkg.Name, expr.LabelName(n.Sel), provider.Refusal(call)))
			}
		case *ast.StructLit:
			var call provider.Call
			if addFunction(&call, n); call.Do == "" || call.Provider == "" {
				return true
			}
			if problem := provider.Refusal(call); problem != "" {
				list = append(list, diagnosticAt(n.Pos(), "%s.%s: %s", call.Provider, call.Do, problem))
			} else if !l.has(call) {
				list = append(list, diagnosticAt(n.Pos(), "provider %q has no function %q", call.Provider, call.Do))
			}
		}
		return true
	}, nil)
	return list
}

// functionFinder returns a call of the function to which an expression in a file refers;
// false if it refers to none.
type functionFinder func(*ast.SelectorExpr) (provider.Call, bool)

// newFunctionFinder returns the functionFinder of file.
func newFunctionFinder(file *ast.File, l library) functionFinder {
	packages := map[string]map[string]provider.Call{}
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if p, ok := l[path]; ok {
			packages[importName(spec, path)] = p.functions()
		}
	}
	return func(sel *ast.SelectorExpr) (provider.Call, bool) {
		root, ok := sel.X.(*ast.Ident)
		if !ok {
			return provider.Call{}, false
		}
		call := packages[root.Name][expr.LabelName(sel.Sel)]
		return call, call.Do != ""
	}
}

// functionsOf returns the definitions of a package, each with a call of its function, which may
// be that of another definition. It is the zero Call for a definition that is no function.
func functionsOf(file *ast.File) map[string]provider.Call {
	calls, bases := map[string]provider.Call{}, map[string]string{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.Field)
		if !ok || !expr.IsDefinition(expr.LabelName(f.Label)) {
			continue
		}
		call := calls[expr.LabelName(f.Label)]
		if body, ok := f.Value.(*ast.StructLit); ok {
			addFunction(&call, body)
		}
		if more, ok := f.Value.(*ast.BinaryExpr); ok {
			if base, ok := more.X.(*ast.Ident); ok {
				bases[expr.LabelName(f.Label)] = base.Name
			}
		}
		calls[expr.LabelName(f.Label)] = call
	}
	for name, base := range bases {
		calls[name] = calls[base]
	}
	return calls
}

// addFunction sets the function of call to the one that body names.
func addFunction(call *provider.Call, body *ast.StructLit) {
	for _, elt := range body.Elts {
		field, ok := elt.(*ast.Field)
		if !ok {
			continue
		}
		if text, ok := field.Value.(*ast.BasicLit); ok {
			switch value, _ := strconv.Unquote(text.Value); expr.LabelName(field.Label) {
			case "#do":
				call.Do = value
			case "#provider":
				call.Provider = value
			}
		}
	}
}
