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

package filter

import (
	"slices"

	"cuelang.org/go/cue/ast"
)

// elements is what loops take of the elements of an input: the named fields.
type elements []string

// looped returns the inputs that loops go through and nothing else refers to,
// where the loops take nothing but fields of the elements.
func looped(decls []ast.Decl, inputs map[string]reference) map[string]elements {
	l := loops{inputs: inputs, sources: map[ast.Node]string{}, settled: map[ast.Node]bool{}, taken: map[string]elements{}, whole: map[string]bool{}}
	for _, visit := range []func(ast.Node){l.clause, l.field, l.rest} {
		for _, d := range decls {
			ast.Walk(d, func(n ast.Node) bool {
				visit(n)
				return true
			}, nil)
		}
	}
	for name := range l.whole {
		delete(l.taken, name)
	}
	return l.taken
}

type loops struct {
	inputs map[string]reference
	// sources are the variables of loops, and the inputs that they go through.
	sources map[ast.Node]string
	// settled are the identifiers whose use is known.
	settled map[ast.Node]bool
	taken   map[string]elements
	whole   map[string]bool
}

func (l *loops) clause(n ast.Node) {
	loop, ok := n.(*ast.ForClause)
	if !ok || loop.Value == nil {
		return
	}
	if id, ok := loop.Source.(*ast.Ident); ok && l.isInput(id) {
		l.sources[loop.Value], l.taken[id.Name] = id.Name, elements{}
		l.settled[id], l.settled[loop.Value] = true, true
	}
}

func (l *loops) field(n ast.Node) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return
	}
	input, ok := l.sources[id.Node]
	name, _, err := ast.LabelName(sel.Sel)
	if ok && err == nil {
		l.settled[id] = true
		if !slices.Contains(l.taken[input], name) {
			l.taken[input] = append(l.taken[input], name)
		}
	}
}

func (l *loops) rest(n ast.Node) {
	id, ok := n.(*ast.Ident)
	if !ok || l.settled[id] {
		return
	}
	if input, ok := l.sources[id.Node]; ok {
		l.whole[input] = true
	}
	if l.isInput(id) {
		l.whole[id.Name] = true
	}
}

// isInput reports whether id refers to an input; nothing else has such a name.
func (l *loops) isInput(id *ast.Ident) bool {
	_, ok := l.inputs[id.Name]
	return ok
}

// of returns value with what is taken of its elements.
func (e elements) of(value any) any {
	switch value := value.(type) {
	case []any:
		out := make([]any, len(value))
		for i, v := range value {
			out[i] = e.pick(v)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, v := range value {
			out[name] = e.pick(v)
		}
		return out
	}
	return value
}

func (e elements) pick(element any) any {
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
