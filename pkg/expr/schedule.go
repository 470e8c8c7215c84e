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
	"maps"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
)

// Stage is a part of a template that is evaluated at once: calls that do not depend
// on each other's results. The results of the calls of earlier stages are data to
// it.
type Stage struct {
	// Calls are the top-level fields whose calls are made, in their order.
	Calls []string
	// Inputs are the calls of earlier stages that the stage refers to.
	Inputs []string
	// Declarations are the declarations that the stage needs. Nil means all.
	Declarations NameSet
}

// Repeats reports whether calls of the stage may depend on each other. Then the
// stage has to be evaluated again after each call.
func (s Stage) Repeats() bool { return s.Declarations == nil }

// Schedule splits a template into stages, so that each field is evaluated as rarely
// as possible. It returns a single stage, which repeats, where it cannot tell which
// calls depend on each other, or the result may make calls. withResult has the last stage evaluate the result.
// schema are the declarations that the parameter depends on. The identifiers of file
// have to be resolved.
func Schedule(file *ast.File, withResult bool) (stages []Stage, schema NameSet) {
	unstaged := []Stage{{}}
	g := newCallGraph(file)
	if g == nil || withResult && g.callFields[ResultField] {
		return unstaged, nil
	}
	schema = g.closure([]string{ParameterSchema})
	order := g.callOrder()
	if len(order) == 0 {
		return unstaged, schema
	}
	for _, name := range order {
		i := len(stages) - 1
		if i < 0 || g.dependsOn(name, stages[i].Calls) {
			stages = append(stages, Stage{})
			i++
		}
		stages[i].Calls = append(stages[i].Calls, name)
	}
	staged := NameSet{}
	for i := range stages {
		g.complete(&stages[i], stages[i].Calls)
		maps.Copy(staged, stages[i].Declarations)
	}
	// Fields that no call needs may still reject the event.
	rest := slices.DeleteFunc(slices.Clone(g.order), func(name string) bool {
		_, isField := g.decls[name].(*ast.Field)
		return !isField || IsDefinition(name) || staged[name] && !(withResult && name == ResultField)
	})
	if len(rest) > 0 {
		last := Stage{}
		g.complete(&last, rest)
		stages = append(stages, last)
	}
	return stages, schema
}

// complete sets the declarations and inputs of s that the evaluation of seeds and of
// the parameter needs.
func (g *callGraph) complete(s *Stage, seeds []string) {
	s.Declarations = g.closure(append([]string{ParameterSchema}, seeds...))
	for _, name := range g.order {
		if s.Declarations[name] && g.callFields[name] && !slices.Contains(s.Calls, name) {
			delete(s.Declarations, name)
			s.Inputs = append(s.Inputs, name)
		}
	}
}

// closure returns seeds and the declarations that they depend on.
func (g *callGraph) closure(seeds []string) NameSet {
	all := NameSet{}
	for _, seed := range seeds {
		all[seed] = true
		maps.Copy(all, g.dependencies[seed])
	}
	return all
}

// Copy returns a copy of file, as Copy does, without the declarations that s does not need and those in
// dropped.
func (s Stage) Copy(file *ast.File, dropped NameSet) *ast.File {
	if s.Repeats() && len(dropped) == 0 {
		return Copy(file)
	}
	pruned := *file
	pruned.Decls = slices.DeleteFunc(slices.Clone(file.Decls), func(d ast.Decl) bool {
		name, ok := declaredName(d)
		return ok && (dropped[name] || !s.Repeats() && !s.Declarations[name])
	})
	out := Copy(&pruned)
	DropUnusedImports(out)
	return out
}

// callGraph holds the dependencies between the top-level declarations of a template.
type callGraph struct {
	// order are the names of the declarations, in the order of the template.
	order []string
	decls map[string]ast.Decl
	sites callSites
	// callFields are the fields that make calls.
	callFields NameSet
	// dependencies are the declarations that one refers to, directly or by way of
	// declarations that are not in callFields.
	dependencies map[string]NameSet
}

// newCallGraph returns nil where the dependencies on the results of calls are
// unknown. The identifiers of file have to be resolved.
func newCallGraph(file *ast.File) *callGraph {
	if CallsUsedAsValues(file) || hasOtherReturns(file) {
		return nil
	}
	g := &callGraph{decls: map[string]ast.Decl{}, sites: newCallSites(file), callFields: callFields(file), dependencies: map[string]NameSet{}}
	for _, d := range file.Decls {
		if _, ok := d.(*ast.ImportDecl); ok {
			continue
		}
		name, ok := declaredName(d)
		if !ok || g.decls[name] != nil || g.callFields[name] && strings.HasPrefix(name, "_") {
			return nil
		}
		g.decls[name] = d
		g.order = append(g.order, name)
	}
	refers := map[string]NameSet{}
	for name, d := range g.decls {
		v := referenceVisitor{graph: g, file: file, refers: NameSet{}}
		v.walk(d)
		if v.internalCall {
			return nil
		}
		refers[name] = v.refers
	}
	for name := range g.decls {
		g.dependencies[name] = NameSet{}
		g.addReachable(refers, name, g.dependencies[name])
		if g.callFields[name] && g.dependencies[name][name] {
			return nil
		}
	}
	return g
}

// addReachable adds to reachable the declarations that are reachable from name.
func (g *callGraph) addReachable(refers map[string]NameSet, name string, reachable NameSet) {
	for other := range refers[name] {
		if !reachable[other] {
			reachable[other] = true
			if !g.callFields[other] {
				g.addReachable(refers, other, reachable)
			}
		}
	}
}

// callOrder returns the fields with calls in an order in which the calls can be
// made: by dependencies, then by `@step`, then as in the template. It is nil where
// they depend on each other in a cycle.
func (g *callGraph) callOrder() []string {
	pending := slices.DeleteFunc(slices.Clone(g.order), func(name string) bool { return !g.callFields[name] })
	slices.SortStableFunc(pending, func(a, b string) int { return g.stepOf(a) - g.stepOf(b) })
	var order []string
	for len(pending) > 0 {
		i := slices.IndexFunc(pending, func(name string) bool { return !g.dependsOn(name, pending) })
		if i < 0 {
			return nil
		}
		order = append(order, pending[i])
		pending = slices.Delete(pending, i, i+1)
	}
	return order
}

// dependsOn reports whether name depends on one of others.
func (g *callGraph) dependsOn(name string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool { return g.dependencies[name][other] })
}

// stepOf returns the number in the attribute `@step(N)` of a field.
func (g *callGraph) stepOf(name string) int {
	if f, ok := g.decls[name].(*ast.Field); ok {
		for _, a := range f.Attrs {
			key, body := a.Split()
			if n, err := strconv.Atoi(body); key == "step" && err == nil {
				return n
			}
		}
	}
	return noStep
}

// referenceVisitor collects the references in one declaration.
type referenceVisitor struct {
	graph  *callGraph
	file   *ast.File
	refers NameSet
	// internalCall is set where the declaration refers to a part of itself that may
	// be a call.
	internalCall bool
}

func (v *referenceVisitor) walk(n ast.Node) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Alias:
			v.internalCall = true
		case *ast.Ident:
			v.ident(n)
		}
		return true
	}, nil)
}

func (v *referenceVisitor) ident(id *ast.Ident) {
	switch decl := id.Node.(type) {
	case nil, *ast.ImportSpec:
	case *ast.LetClause:
		v.internalCall = v.internalCall || id.Scope != v.file && v.graph.sites.make(decl.Expr, false)
	case ast.Expr:
		v.internalCall = v.internalCall || id.Scope != v.file && v.graph.sites.make(decl, false)
	}
	if id.Scope == v.file && v.graph.decls[id.Name] != nil {
		v.refers[id.Name] = true
	}
}

// hasOtherReturns reports whether calls may return other fields than `$returns`, or
// the template constrains `$returns`.
func hasOtherReturns(file *ast.File) bool {
	other := false
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			other = other || n.Path.Value == `"vela/op"`
		case *ast.Field:
			other = other || LabelName(n.Label) == "$returns"
		}
		return !other
	}, nil)
	return other
}
