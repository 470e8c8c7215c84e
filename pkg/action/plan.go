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

// stage is a part of a template that is evaluated at once: calls of which none
// depends on what another one of them returns. What the calls of earlier stages
// have returned is data to it.
type stage struct {
	// calls are the top-level fields whose calls are made, in their order.
	calls []string
	// given are those of earlier stages that are referred to.
	given []string
	// kept are the names of all declarations that it takes. Nil: all.
	kept names
}

// repeats reports whether calls of the stage may depend on each other after all:
// then it is evaluated again after each of them.
func (s stage) repeats() bool { return s.kept == nil }

// plan splits a template into stages, so that each of its fields is evaluated as
// seldom as can be, and returns the declarations that make the parameter. Where
// too little is known of what depends on what, there is one stage for all. The
// identifiers of file must be resolved. With gives, the last stage has the result.
func plan(file *ast.File, gives bool) (stages []stage, schema names) {
	whole := []stage{{}}
	g := newGraph(file)
	if g == nil {
		return whole, nil
	}
	schema = g.closure([]string{parameterSchema})
	order := g.schedule()
	if len(order) == 0 {
		return whole, schema
	}
	for _, name := range order {
		i := len(stages) - 1
		if i < 0 || g.depends(name, stages[i].calls) {
			stages = append(stages, stage{})
			i++
		}
		stages[i].calls = append(stages[i].calls, name)
	}
	seen := names{}
	for i := range stages {
		g.complete(&stages[i], stages[i].calls)
		maps.Copy(seen, stages[i].kept)
	}
	// Fields that no call takes may still find fault with the event.
	rest := slices.DeleteFunc(slices.Clone(g.order), func(name string) bool {
		_, isField := g.decls[name].(*ast.Field)
		return !isField || isDefinition(name) || seen[name] && !(gives && name == resultField)
	})
	if len(rest) > 0 {
		last := stage{}
		g.complete(&last, rest)
		stages = append(stages, last)
	}
	return stages, schema
}

// complete sets what s takes to evaluate seeds, besides the parameter.
func (g *graph) complete(s *stage, seeds []string) {
	s.kept = g.closure(append([]string{parameterSchema}, seeds...))
	for _, name := range g.order {
		if s.kept[name] && g.holders[name] && !slices.Contains(s.calls, name) {
			delete(s.kept, name)
			s.given = append(s.given, name)
		}
	}
}

func (g *graph) closure(seeds []string) names {
	found := names{}
	for _, seed := range seeds {
		found[seed] = true
		maps.Copy(found, g.reach[seed])
	}
	return found
}

// narrow leaves in file what s takes, but for what is dropped.
func (s stage) narrow(file *ast.File, dropped names) {
	if s.repeats() && len(dropped) == 0 {
		return
	}
	file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
		name, ok := declared(d)
		return ok && (dropped[name] || !s.repeats() && !s.kept[name])
	})
	dropImports(file)
}

// dropImports takes out imports that are not used, which CUE refuses.
func dropImports(file *ast.File) {
	used := referred(file)
	unused := func(spec *ast.ImportSpec) bool { return !used[spec] }
	file.Imports = slices.DeleteFunc(file.Imports, unused)
	for _, d := range file.Decls {
		if imports, ok := d.(*ast.ImportDecl); ok {
			imports.Specs = slices.DeleteFunc(imports.Specs, unused)
		}
	}
}

// referred returns the declarations that identifiers of file refer to.
func referred(file *ast.File) map[ast.Node]bool {
	used := map[ast.Node]bool{}
	ast.Walk(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			used[id.Node] = true
		}
		return true
	}, nil)
	return used
}
