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

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/number"
)

// Encode returns data as a CUE value. Unlike CUE's own conversion, it keeps null as
// null, and a json.Number as a number.
//
// In CUE v0.14.1 a loop that embeds elements of converted data (`for c in
// containers {c}`) yields empty structs. Where a loop embeds elements of data, Encode
// unifies data with itself, after which its elements can be embedded. That costs
// several times as much.
func Encode(ctx *cue.Context, data map[string]any, embedded Embedded) cue.Value {
	encodable := number.Literals(data)
	v := ctx.Encode(encodable, cue.NilIsAny(false))
	if embedded.existsIn(data) {
		v = v.Unify(ctx.Encode(encodable, cue.NilIsAny(false)))
	}
	return v
}

// Embedded tells which parts of elements the loops of an expression embed.
type Embedded struct {
	// elements is set where loops embed whole elements, or unknown parts of them.
	elements bool
	// fields are the names of the fields that loops embed.
	fields []string
}

// EmbeddedElements returns the parts of elements that loops in n embed. The
// identifiers of n must be resolved. The argument of len is ignored, because only
// its length matters.
func EmbeddedElements(n ast.Node) Embedded {
	var e Embedded
	e.walk(n)
	return e
}

func (e *Embedded) walk(n ast.Node) {
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			return !e.walkLen(n)
		case *ast.EmbedDecl:
			e.add(n.Expr)
		}
		return true
	}, nil)
}

// walkLen walks the clauses of `len([for …])`, and not the values. It returns false
// for other calls.
func (e *Embedded) walkLen(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.Ident)
	if !ok || f.Name != "len" || len(call.Args) != 1 {
		return false
	}
	list, ok := call.Args[0].(*ast.ListLit)
	if !ok {
		return false
	}
	for _, x := range list.Elts {
		c, ok := x.(*ast.Comprehension)
		if !ok {
			e.walk(x)
			continue
		}
		for _, clause := range c.Clauses {
			e.walk(clause)
		}
	}
	return true
}

// add adds the embedding of x, where x refers to the variable of a loop.
func (e *Embedded) add(x ast.Expr) {
	switch x := x.(type) {
	case *ast.Ident:
		switch decl := x.Node.(type) {
		case *ast.Ident: // the variable of a loop
			e.elements = true
		case *ast.LetClause:
			e.add(decl.Expr)
		}
	case *ast.ParenExpr:
		e.add(x.X)
	case *ast.UnaryExpr: // a default
		e.add(x.X)
	case *ast.SelectorExpr:
		if name, static := fieldName(x.Sel); static && isLoopVariable(x.X) {
			e.fields = append(e.fields, name)
		} else {
			e.add(x.X)
		}
	case *ast.IndexExpr:
		e.add(x.X)
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			e.add(x.X)
			e.add(x.Y)
		}
	}
}

// isLoopVariable reports whether x is the variable of a loop, or a field of it.
func isLoopVariable(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		_, ok := x.Node.(*ast.Ident)
		return ok
	case *ast.SelectorExpr:
		return isLoopVariable(x.X)
	}
	return false
}

// existsIn reports whether an embedded part may be a struct or a list in v.
func (e Embedded) existsIn(v any) bool {
	if e.elements || len(e.fields) == 0 {
		return e.elements
	}
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if isContainer(value) && (slices.Contains(e.fields, name) || e.existsIn(value)) {
				return true
			}
		}
	case []any:
		for _, value := range v {
			if e.existsIn(value) {
				return true
			}
		}
	}
	return false
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}
