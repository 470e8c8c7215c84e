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

	"cuelang.org/go/cue/ast"
)

// DropUnusedImports removes imports that are not used, which CUE does not allow.
func DropUnusedImports(file *ast.File) {
	used := referencedNodes(file)
	unused := func(spec *ast.ImportSpec) bool { return !used[spec] }
	file.Imports = slices.DeleteFunc(file.Imports, unused)
	for _, d := range file.Decls {
		if imports, ok := d.(*ast.ImportDecl); ok {
			imports.Specs = slices.DeleteFunc(imports.Specs, unused)
		}
	}
}

// referencedNodes returns the nodes that identifiers of file refer to.
func referencedNodes(file *ast.File) map[ast.Node]bool {
	used := map[ast.Node]bool{}
	ast.Walk(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Node] = true
		}
		return true
	}, nil)
	return used
}
