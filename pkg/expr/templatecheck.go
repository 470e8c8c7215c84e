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
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// CheckTemplate returns the references in a template to fields that the data of no event of a form has,
// but for fields of the data itself: the template may be for events of other sources as well, which have
// other data. What it has a default for, or asks for, may be absent.
func CheckTemplate(file *ast.File, form event.Form) Findings {
	if form.Data.Kinds == 0 {
		return nil
	}
	c, err := newDataChecker(file, form)
	if err != nil {
		return nil // Parse reports it
	}
	optional := map[string]bool{}
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if hasBottom(n) {
				optional[Excerpt(n.X)], optional[Excerpt(n.Y)] = true, true
			}
		case *ast.UnaryExpr:
			if n.Op == token.MUL {
				optional[Excerpt(n.X)] = true
			}
		}
		return true
	}, nil)
	ast.Walk(file, func(n ast.Node) bool {
		x, ok := n.(*ast.SelectorExpr)
		if !ok || optional[Excerpt(x)] {
			return !ok
		}
		if path := Excerpt(x.X); path != "context" && path != "context.data" && path != "context.old" {
			c.field(x.X, x.Sel)
		}
		return true
	}, nil)
	for i := range c.Findings {
		c.Findings[i].Certainty = Doubtful
	}
	return c.Findings
}
