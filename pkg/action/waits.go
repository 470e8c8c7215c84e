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
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr"
)

// waits are the references of calls to what other calls return.
type waits struct {
	// values are the values of the declarations of the template, by name, and calls those
	// that are calls.
	values, calls map[string][]ast.Expr
	file          *ast.File
}

// checkWaits reports calls that wait for each other: the parameters of each refer to what
// the next one returns.
func (c *fieldChecker) checkWaits() {
	w := waits{values: map[string][]ast.Expr{}, calls: map[string][]ast.Expr{}, file: c.file}
	var names []string
	for _, d := range c.file.Decls {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		name := expr.LabelName(f.Label)
		w.values[name] = append(w.values[name], f.Value)
		if c.isCall(f.Value) {
			w.calls[name] = w.values[name]
			names = append(names, name)
		}
	}
	reported := map[string]bool{}
	for _, name := range names {
		cycle, at := w.cycle(name)
		if cycle == nil || slices.ContainsFunc(cycle, func(n string) bool { return reported[n] }) {
			continue
		}
		for _, n := range cycle {
			reported[n] = true
		}
		if len(cycle) == 1 {
			c.addAt(at, "%s waits for itself: its $params refer to its $returns", name)
		} else {
			c.addAt(at, "%s wait for each other: the $params of each refer to the $returns of the next", strings.Join(cycle, ", "))
		}
	}
}

// isCall reports whether x is a call of a function of a `vela/*` package.
func (c *fieldChecker) isCall(x ast.Expr) bool {
	operands := conjuncts(x)
	for _, o := range operands {
		if s, ok := o.(*ast.StructLit); ok {
			operands = append(operands, embedded(s)...)
		}
	}
	return slices.ContainsFunc(operands, func(x ast.Expr) bool {
		_, _, ok := c.function(x)
		return ok
	})
}

// cycle returns the calls on a way from name to name, and the position of the first
// reference; nil if there is none.
func (w waits) cycle(name string) (calls []string, at token.Pos) {
	visited := map[string]bool{}
	var search func(from string, way []string, first token.Pos) bool
	search = func(from string, way []string, first token.Pos) bool {
		if visited[from] {
			return false
		}
		visited[from] = true
		for _, r := range w.references(from) {
			begin := first
			if !begin.IsValid() {
				begin = r.Pos
			}
			if r.Name == name {
				calls, at = way, begin
				return true
			}
			if search(r.Name, append(slices.Clip(way), r.Name), begin) {
				return true
			}
		}
		return false
	}
	search(name, []string{name}, token.NoPos)
	return calls, at
}

// references returns the calls that a call waits for.
func (w waits) references(call string) []expr.ResultReference {
	var found []expr.ResultReference
	seen := map[string]bool{}
	for _, value := range w.calls[call] {
		for _, x := range conjuncts(value) {
			s, ok := x.(*ast.StructLit)
			if !ok {
				continue
			}
			for _, d := range s.Elts {
				if f, ok := d.(*ast.Field); ok && expr.LabelName(f.Label) == "$params" {
					w.collect(f.Value, token.NoPos, seen, &found)
				}
			}
		}
	}
	return found
}

// collect adds the calls whose results n needs, also by way of other declarations. What
// n has another value for, in a disjunction or a condition, it does not wait for. from is
// the position of the reference that leads to n.
func (w waits) collect(n ast.Node, from token.Pos, seen map[string]bool, found *[]expr.ResultReference) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Comprehension:
			return false
		case *ast.BinaryExpr:
			return n.Op != token.OR
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok && w.calls[id.Name] != nil && id.Scope == w.file {
				if expr.LabelName(n.Sel) == "$returns" {
					*found = append(*found, expr.ResultReference{Name: id.Name, Pos: firstPosition(n.Pos(), from)})
				}
				return false
			}
		case *ast.Ident:
			w.follow(n, firstPosition(n.Pos(), from), seen, found)
		}
		return true
	}, nil)
}

// follow collects from the declaration of an identifier that is no call.
func (w waits) follow(id *ast.Ident, from token.Pos, seen map[string]bool, found *[]expr.ResultReference) {
	if let, ok := id.Node.(*ast.LetClause); ok {
		if !seen[id.Name] {
			seen[id.Name] = true
			w.collect(let.Expr, from, seen, found)
		}
		return
	}
	if id.Scope != w.file || w.calls[id.Name] != nil || seen[id.Name] {
		return
	}
	seen[id.Name] = true
	for _, value := range w.values[id.Name] {
		w.collect(value, from, seen, found)
	}
}

// firstPosition returns from, or pos if from is not valid.
func firstPosition(pos, from token.Pos) token.Pos {
	if from.IsValid() {
		return from
	}
	return pos
}
