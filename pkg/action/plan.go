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
	"maps"
	"slices"

	"cuelang.org/go/cue/ast"
)

// Stage is a part of a template that is evaluated at once: calls of which none
// depends on what another one of them returns. What the calls of earlier stages
// have returned is data to it.
type Stage struct {
	// Calls are the top-level fields whose calls are made, in their order.
	Calls []string
	// Inputs are those of earlier stages that are referred to.
	Inputs []string
	// Declarations are the names of all declarations that it takes. Nil: all.
	Declarations NameSet
}

// Repeats reports whether calls of the stage may depend on each other after all:
// then it is evaluated again after each of them.
func (s Stage) Repeats() bool { return s.Declarations == nil }

// Schedule splits a template into stages, so that each of its fields is evaluated as
// seldom as can be, and returns the declarations that make the parameter. Where
// too little is known of what depends on what, there is one stage for all. The
// identifiers of file must be resolved. With gives, the last stage has the result.
func Schedule(file *ast.File, gives bool) (stages []Stage, schema NameSet) {
	whole := []Stage{{}}
	g := newCallGraph(file)
	if g == nil {
		return whole, nil
	}
	schema = g.closure([]string{parameterSchema})
	order := g.callOrder()
	if len(order) == 0 {
		return whole, schema
	}
	for _, name := range order {
		i := len(stages) - 1
		if i < 0 || g.dependsOn(name, stages[i].Calls) {
			stages = append(stages, Stage{})
			i++
		}
		stages[i].Calls = append(stages[i].Calls, name)
	}
	seen := NameSet{}
	for i := range stages {
		g.complete(&stages[i], stages[i].Calls)
		maps.Copy(seen, stages[i].Declarations)
	}
	// Fields that no call takes may still find fault with the event.
	rest := slices.DeleteFunc(slices.Clone(g.order), func(name string) bool {
		_, isField := g.decls[name].(*ast.Field)
		return !isField || IsDefinition(name) || seen[name] && !(gives && name == resultField)
	})
	if len(rest) > 0 {
		last := Stage{}
		g.complete(&last, rest)
		stages = append(stages, last)
	}
	return stages, schema
}

// complete sets what s takes to evaluate seeds, besides the parameter.
func (g *callGraph) complete(s *Stage, seeds []string) {
	s.Declarations = g.closure(append([]string{parameterSchema}, seeds...))
	for _, name := range g.order {
		if s.Declarations[name] && g.callFields[name] && !slices.Contains(s.Calls, name) {
			delete(s.Declarations, name)
			s.Inputs = append(s.Inputs, name)
		}
	}
}

func (g *callGraph) closure(seeds []string) NameSet {
	found := NameSet{}
	for _, seed := range seeds {
		found[seed] = true
		maps.Copy(found, g.dependencies[seed])
	}
	return found
}

// Prune leaves in file what s takes, but for what is dropped.
func (s Stage) Prune(file *ast.File, dropped NameSet) {
	if s.Repeats() && len(dropped) == 0 {
		return
	}
	file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
		name, ok := declaredName(d)
		return ok && (dropped[name] || !s.Repeats() && !s.Declarations[name])
	})
	DropUnusedImports(file)
}

// DropUnusedImports takes out imports that are not used, which CUE refuses.
func DropUnusedImports(file *ast.File) {
	used := ReferencedNodes(file)
	unused := func(spec *ast.ImportSpec) bool { return !used[spec] }
	file.Imports = slices.DeleteFunc(file.Imports, unused)
	for _, d := range file.Decls {
		if imports, ok := d.(*ast.ImportDecl); ok {
			imports.Specs = slices.DeleteFunc(imports.Specs, unused)
		}
	}
}

// ReferencedNodes returns the declarations that identifiers of file refer to.
func ReferencedNodes(file *ast.File) map[ast.Node]bool {
	used := map[ast.Node]bool{}
	ast.Walk(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Node] = true
		}
		return true
	}, nil)
	return used
}
