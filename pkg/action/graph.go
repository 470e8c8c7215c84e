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

// graph is what the top-level declarations of a template refer to.
type graph struct {
	order []string // of the declarations in the template
	decls map[string]ast.Decl
	// makers are those that make calls, holders those of them that are fields.
	makers, holders names
	// reach holds what a declaration refers to, and what that refers to, but not
	// what holders refer to.
	reach map[string]names
}

// newGraph returns nil where it cannot tell what depends on what a call returns.
// The identifiers of file must be resolved.
func newGraph(file *ast.File) *graph {
	if callsUsedWhole(file) || returnsOtherwise(file) {
		return nil
	}
	g := &graph{decls: map[string]ast.Decl{}, makers: makers(file), holders: holders(file), reach: map[string]names{}}
	for _, d := range file.Decls {
		if _, ok := d.(*ast.ImportDecl); ok {
			continue
		}
		name, ok := declared(d)
		if !ok || g.decls[name] != nil || g.holders[name] && strings.HasPrefix(name, "_") {
			return nil
		}
		g.decls[name] = d
		g.order = append(g.order, name)
	}
	known, refers := names{}, map[string]names{}
	for name := range g.decls {
		known[name] = true
	}
	for name, d := range g.decls {
		l := look{graph: g, file: file, known: known, refers: names{}}
		l.walk(d)
		if l.within {
			return nil
		}
		refers[name] = l.refers
	}
	for name := range g.decls {
		g.reach[name] = names{}
		g.spread(refers, name, g.reach[name])
		if g.holders[name] && g.reach[name][name] {
			return nil
		}
	}
	return g
}

func (g *graph) spread(refers map[string]names, name string, found names) {
	for other := range refers[name] {
		if !found[other] {
			found[other] = true
			if !g.holders[other] {
				g.spread(refers, other, found)
			}
		}
	}
}

// declared returns the name that d declares, if that is all it does.
func declared(d ast.Decl) (string, bool) {
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

// schedule returns the holders in the order in which their calls can be made:
// the first one that depends on none that is left, by `@step` and then as the
// template has them. It is nil where they wait for each other.
func (g *graph) schedule() []string {
	left := slices.DeleteFunc(slices.Clone(g.order), func(name string) bool { return !g.holders[name] })
	slices.SortStableFunc(left, func(a, b string) int { return g.step(a) - g.step(b) })
	var order []string
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(name string) bool { return !g.depends(name, left) })
		if i < 0 {
			return nil
		}
		order = append(order, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return order
}

// depends reports whether name refers to one of others.
func (g *graph) depends(name string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool { return g.reach[name][other] })
}

// step returns the number in the `@step(N)` of a field.
func (g *graph) step(name string) int {
	if f, ok := g.decls[name].(*ast.Field); ok {
		for _, a := range f.Attrs {
			key, body := a.Split()
			if n, err := strconv.Atoi(body); key == "step" && err == nil {
				return n
			}
		}
	}
	return lastStep
}

// look is the walk through one declaration.
type look struct {
	graph         *graph
	file          *ast.File
	known, refers names
	// within is set when something within the declaration is referred to that may
	// be a call.
	within bool
}

func (l *look) walk(n ast.Node) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Alias:
			l.within = true
		case *ast.Ident:
			l.ident(n)
		}
		return true
	}, nil)
}

func (l *look) ident(id *ast.Ident) {
	switch at := id.Node.(type) {
	case nil, *ast.ImportSpec:
	case *ast.LetClause:
		l.within = l.within || id.Scope != l.file && l.graph.makers.madeIn(at.Expr, l.known)
	case ast.Expr:
		l.within = l.within || id.Scope != l.file && l.graph.makers.madeIn(at, l.known)
	}
	if id.Scope == l.file && l.graph.decls[id.Name] != nil {
		l.refers[id.Name] = true
	}
}

// returnsOtherwise reports whether calls may return more than `$returns`, or the
// template constrains that.
func returnsOtherwise(file *ast.File) bool {
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
