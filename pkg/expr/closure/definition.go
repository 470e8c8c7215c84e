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

package closure

import (
	"cuelang.org/go/cue/ast"
)

// definition returns what the definition x makes, such as kube.#Get; nil if x is none.
func (c *compiler) definition(x ast.Expr) func(fields map[string]any) (any, Status) {
	sel, ok := x.(*ast.SelectorExpr)
	if !ok || c.define == nil {
		return nil
	}
	path, ok := imported(sel.X)
	name, also := sel.Sel.(*ast.Ident)
	if !ok || !also {
		return nil
	}
	complete, _ := c.define(path, name.Name)
	return complete
}

// defined is `kube.#Get & {$params: …}`.
func (c *compiler) defined(complete func(fields map[string]any) (any, Status), x ast.Expr) (code, error) {
	operand, err := c.compile(x)
	if err != nil {
		return code{}, err
	}
	out := unaryCode(operand, func(v any) (any, Status) {
		fields, ok := fieldsOf(v)
		if !ok {
			return nil, Unknown
		}
		return complete(fields)
	})
	out.constant = false
	return out, nil
}
