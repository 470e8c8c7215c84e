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
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// CheckTemplate returns the references in a template to fields that the data of no event of a form has,
// but for fields of the data itself: the template may be for events of other sources as well, which have
// other data. What it has a default for, or asks for, may be absent. It does not change file.
func CheckTemplate(file *ast.File, form event.Form) Findings {
	if form.Data.Kinds == 0 {
		return nil
	}
	c, err := newDataChecker(file, form)
	if err != nil {
		return nil // Parse reports it
	}
	// The types of expressions cost much less than their texts, and rarely tell anything.
	var (
		list   Findings
		around []*ast.SelectorExpr
		texts  optionalTexts
	)
	ast.Walk(file, func(n ast.Node) bool {
		x, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		around = append(around, x)
		if c.field(x.X, x.Sel); len(c.Findings) > 0 && !texts.of(file).contain(around) {
			switch Excerpt(x.X) {
			case "context", "context.data", "context.old":
			default:
				list = append(list, c.Findings...)
			}
		}
		c.Findings = nil
		return true
	}, func(n ast.Node) {
		if _, ok := n.(*ast.SelectorExpr); ok {
			around = around[:len(around)-1]
		}
	})
	for i := range list {
		list[i].Certainty = Doubtful
	}
	return list
}

// optionalTexts has the texts of expressions that a template has a default for, or asks for.
type optionalTexts map[string]bool

// of returns those in file, once they are needed.
func (t *optionalTexts) of(file *ast.File) optionalTexts {
	if *t != nil {
		return *t
	}
	*t = optionalTexts{}
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if hasBottom(n) {
				(*t)[Excerpt(n.X)], (*t)[Excerpt(n.Y)] = true, true
			}
		case *ast.UnaryExpr:
			if n.Op == token.MUL {
				(*t)[Excerpt(n.X)] = true
			}
		}
		return true
	}, nil)
	return *t
}

// contain reports whether one of the expressions is optional.
func (t optionalTexts) contain(expressions []*ast.SelectorExpr) bool {
	return slices.ContainsFunc(expressions, func(x *ast.SelectorExpr) bool { return t[Excerpt(x)] })
}
