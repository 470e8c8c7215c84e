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
)

// LoopedFields are the names of the fields over which lists loop, below context and in
// the results of calls. If such a field is an object, the order of the list depends on the
// names in it.
type LoopedFields struct{ Context, Results NameSet }

// loopedFields returns the fields over which lists in file loop. It returns false where it
// cannot tell which fields these are. The identifiers of file have to be resolved.
func loopedFields(file *ast.File) (LoopedFields, bool) {
	l := loopSources{
		fields:    LoopedFields{NameSet{}, NameSet{}},
		variables: map[ast.Node]ast.Node{}, seen: map[ast.Node]bool{}, known: true,
	}
	ast.Walk(file, func(n ast.Node) bool {
		if loop, ok := n.(*ast.ForClause); ok && loop.Value != nil {
			l.variables[loop.Value] = loop.Source
		}
		return true
	}, nil)
	ast.Walk(file, func(n ast.Node) bool {
		list, ok := n.(*ast.ListLit)
		if !ok {
			return true
		}
		for _, x := range list.Elts {
			if c, ok := x.(*ast.Comprehension); ok {
				l.comprehension(c)
			}
		}
		return true
	}, nil)
	return l.fields, l.known
}

type loopSources struct {
	fields LoopedFields
	// variables are the sources of the variables of loops.
	variables map[ast.Node]ast.Node
	// seen are the declarations whose values were added.
	seen  map[ast.Node]bool
	known bool
}

func (l *loopSources) comprehension(c *ast.Comprehension) {
	for _, clause := range c.Clauses {
		if loop, ok := clause.(*ast.ForClause); ok {
			l.add(loop.Source)
		}
	}
}

// add adds the fields whose value x may be.
func (l *loopSources) add(x ast.Node) {
	switch x := x.(type) {
	case *ast.ListLit, *ast.CallExpr, *ast.SliceExpr, *ast.BasicLit:
	case *ast.ParenExpr:
		l.add(x.X)
	case *ast.UnaryExpr:
		l.add(x.X)
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			l.add(x.X)
			l.add(x.Y)
		}
	case *ast.SelectorExpr:
		l.addName(x, LabelName(x.Sel))
	case *ast.IndexExpr:
		l.index(x)
	case *ast.Ident:
		l.ident(x)
	default:
		l.known = false
	}
}

// addName adds the field that x selects.
func (l *loopSources) addName(x ast.Node, name string) {
	l.known = l.known && name != ""
	context, results := l.origin(x)
	if context {
		l.fields.Context[name] = true
	}
	if results {
		l.fields.Results[name] = true
	}
}

// origin reports whether the value of x may be a part of context, and of the result of a
// call.
func (l *loopSources) origin(x ast.Node) (context, results bool) {
	if _, throughReturns := rootIdent(x); throughReturns {
		return false, true
	}
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return l.origin(x.X)
	case *ast.IndexExpr:
		return l.origin(x.X)
	case *ast.ParenExpr:
		return l.origin(x.X)
	case *ast.UnaryExpr:
		return l.origin(x.X)
	case *ast.BinaryExpr:
		c1, r1 := l.origin(x.X)
		c2, r2 := l.origin(x.Y)
		return c1 || c2, r1 || r2
	case *ast.ListLit:
		return len(x.Elts) > 0, len(x.Elts) > 0
	case *ast.Ident:
		if source, ok := l.variables[x.Node]; ok {
			return l.origin(source)
		}
		return true, x.Name != "context"
	}
	return true, true
}

// index adds the field that an index selects, or the elements of a list.
func (l *loopSources) index(x *ast.IndexExpr) {
	if name, static := stringLiteral(x.Index); static {
		l.addName(x, name)
		return
	}
	list, ok := x.X.(*ast.ListLit)
	l.known = l.known && ok
	if !ok {
		return
	}
	for _, e := range list.Elts {
		c, ok := e.(*ast.Comprehension)
		if !ok {
			l.add(e)
			continue
		}
		value, ok := c.Value.(*ast.StructLit)
		if !ok || len(value.Elts) != 1 {
			l.known = false
			continue
		}
		if embedded, ok := value.Elts[0].(*ast.EmbedDecl); ok {
			l.add(embedded.Expr)
		} else {
			l.known = false
		}
	}
}

// ident adds the declaration that id refers to.
func (l *loopSources) ident(id *ast.Ident) {
	l.fields.Results[id.Name] = true // it may be an input
	if l.seen[id.Node] {
		return
	}
	l.seen[id.Node] = true
	switch decl := id.Node.(type) {
	case *ast.LetClause:
		l.add(decl.Expr)
	case *ast.Ident: // the type of the field of an input, or the variable of a loop
		l.known = l.known && decl.Name == "_"
	case nil:
		l.known = false
	default:
		l.add(decl)
	}
}
