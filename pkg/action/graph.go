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
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// callGraph is what the top-level declarations of a template refer to.
type callGraph struct {
	order []string // of the declarations in the template
	decls map[string]ast.Decl
	// callers are those that make calls, holders those of them that are fields.
	callers, callFields NameSet
	// dependencies holds what a declaration refers to, and what that refers to, but not
	// what holders refer to.
	dependencies map[string]NameSet
}

// newCallGraph returns nil where it cannot tell what depends on what a call returns.
// The identifiers of file must be resolved.
func newCallGraph(file *ast.File) *callGraph {
	if CallsUsedAsValues(file) || hasOtherReturns(file) {
		return nil
	}
	g := &callGraph{decls: map[string]ast.Decl{}, callers: callers(file), callFields: CallFields(file), dependencies: map[string]NameSet{}}
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
	known, refers := NameSet{}, map[string]NameSet{}
	for name := range g.decls {
		known[name] = true
	}
	for name, d := range g.decls {
		l := referenceVisitor{graph: g, file: file, known: known, refers: NameSet{}}
		l.walk(d)
		if l.internalCall {
			return nil
		}
		refers[name] = l.refers
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

func (g *callGraph) addReachable(refers map[string]NameSet, name string, found NameSet) {
	for other := range refers[name] {
		if !found[other] {
			found[other] = true
			if !g.callFields[other] {
				g.addReachable(refers, other, found)
			}
		}
	}
}

// declaredName returns the name that d declares, if that is all it does.
func declaredName(d ast.Decl) (string, bool) {
	switch d := d.(type) {
	case *ast.LetClause:
		return d.Ident.Name, true
	case *ast.Field:
		_, aliased := d.Label.(*ast.Alias)
		name := labelName(d.Label)
		return name, name != "" && !aliased && d.Constraint == token.ILLEGAL
	}
	return "", false
}

// callOrder returns the holders in the order in which their calls can be made:
// the first one that depends on none that is left, by `@step` and then as the
// template has them. It is nil where they wait for each other.
func (g *callGraph) callOrder() []string {
	left := slices.DeleteFunc(slices.Clone(g.order), func(name string) bool { return !g.callFields[name] })
	slices.SortStableFunc(left, func(a, b string) int { return g.stepOf(a) - g.stepOf(b) })
	var order []string
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(name string) bool { return !g.dependsOn(name, left) })
		if i < 0 {
			return nil
		}
		order = append(order, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return order
}

// dependsOn reports whether name refers to one of others.
func (g *callGraph) dependsOn(name string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool { return g.dependencies[name][other] })
}

// stepOf returns the number in the `@step(N)` of a field.
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

// referenceVisitor is the walk through one declaration.
type referenceVisitor struct {
	graph         *callGraph
	file          *ast.File
	known, refers NameSet
	// internalCall is set when something within the declaration is referred to that may
	// be a call.
	internalCall bool
}

func (l *referenceVisitor) walk(n ast.Node) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Alias:
			l.internalCall = true
		case *ast.Ident:
			l.ident(n)
		}
		return true
	}, nil)
}

func (l *referenceVisitor) ident(id *ast.Ident) {
	switch at := id.Node.(type) {
	case nil, *ast.ImportSpec:
	case *ast.LetClause:
		l.internalCall = l.internalCall || id.Scope != l.file && l.graph.callers.makesCall(at.Expr, l.known)
	case ast.Expr:
		l.internalCall = l.internalCall || id.Scope != l.file && l.graph.callers.makesCall(at, l.known)
	}
	if id.Scope == l.file && l.graph.decls[id.Name] != nil {
		l.refers[id.Name] = true
	}
}

// hasOtherReturns reports whether calls may return more than `$returns`, or the
// template constrains that.
func hasOtherReturns(file *ast.File) bool {
	found := false
	ast.Walk(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			found = found || n.Path.Value == `"vela/op"`
		case *ast.Field:
			found = found || labelName(n.Label) == "$returns"
		}
		return !found
	}, nil)
	return found
}
