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

// elementFields are the fields that loops use of the elements of an input.
type elementFields []string

// loopedInputs returns the inputs that only loops refer to, where the loops use only
// fields of the elements.
func loopedInputs(decls []ast.Decl, inputs map[string]Reference) map[string]elementFields {
	l := loopAnalysis{inputs: inputs, variables: map[ast.Node]string{}, resolved: map[ast.Node]bool{}, selected: map[string]elementFields{}, all: map[string]bool{}}
	for _, visit := range []func(ast.Node){l.forClause, l.selector, l.ident} {
		for _, d := range decls {
			ast.Walk(d, func(n ast.Node) bool {
				visit(n)
				return true
			}, nil)
		}
	}
	for name := range l.all {
		delete(l.selected, name)
	}
	return l.selected
}

// loopAnalysis finds the fields of elements that loops use.
type loopAnalysis struct {
	inputs map[string]Reference
	// variables maps the variables of loops to the inputs that they range over.
	variables map[ast.Node]string
	// resolved are the identifiers whose use is known.
	resolved map[ast.Node]bool
	// selected are the fields of elements by input, all the inputs that are used
	// otherwise.
	selected map[string]elementFields
	all      map[string]bool
}

func (l *loopAnalysis) forClause(n ast.Node) {
	loop, ok := n.(*ast.ForClause)
	if !ok || loop.Value == nil {
		return
	}
	if id, ok := loop.Source.(*ast.Ident); ok && l.isInput(id) {
		l.variables[loop.Value], l.selected[id.Name] = id.Name, elementFields{}
		l.resolved[id], l.resolved[loop.Value] = true, true
	}
}

func (l *loopAnalysis) selector(n ast.Node) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return
	}
	input, ok := l.variables[id.Node]
	name, _, err := ast.LabelName(sel.Sel)
	if ok && err == nil {
		l.resolved[id] = true
		if !slices.Contains(l.selected[input], name) {
			l.selected[input] = append(l.selected[input], name)
		}
	}
}

func (l *loopAnalysis) ident(n ast.Node) {
	id, ok := n.(*ast.Ident)
	if !ok || l.resolved[id] {
		return
	}
	if input, ok := l.variables[id.Node]; ok {
		l.all[input] = true
	}
	if l.isInput(id) {
		l.all[id.Name] = true
	}
}

// isInput reports whether id refers to an input. The names of inputs are unique.
func (l *loopAnalysis) isInput(id *ast.Ident) bool {
	_, ok := l.inputs[id.Name]
	return ok
}

// selectAll returns value with only the fields e of its elements.
func (e elementFields) selectAll(value any) any {
	switch value := value.(type) {
	case []any:
		out := make([]any, len(value))
		for i, v := range value {
			out[i] = e.selectFrom(v)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, v := range value {
			out[name] = e.selectFrom(v)
		}
		return out
	}
	return value
}

func (e elementFields) selectFrom(element any) any {
	object, ok := element.(map[string]any)
	if !ok {
		return element
	}
	out := make(map[string]any, len(e))
	for _, name := range e {
		if value, ok := object[name]; ok {
			out[name] = value
		}
	}
	return out
}
