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

package projection

import (
	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// Encode returns data as a CUE value. A null of data stays null; to CUE's own
// conversion it is anything.
//
// In CUE v0.14.1 a loop that embeds elements of converted data (`for c in
// containers {c}`) yields empty structs. Where embeds is set, data is unified
// with itself, which makes fields of it that can be embedded, at a multiple of
// the price.
func Encode(ctx *cue.Context, data map[string]any, embeds bool) cue.Value {
	v := ctx.Encode(data, cue.NilIsAny(false))
	if embeds {
		v = v.Unify(ctx.Encode(data, cue.NilIsAny(false)))
	}
	return v
}

// EmbedsElements reports whether a loop in n embeds what it may have from the
// elements that it runs over. The identifiers of n must be resolved.
func EmbedsElements(n ast.Node) bool {
	found := false
	ast.Walk(n, func(n ast.Node) bool {
		if e, ok := n.(*ast.EmbedDecl); ok {
			found = found || embedsVariable(e.Expr)
		}
		return !found
	}, nil)
	return found
}

func embedsVariable(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		switch declared := x.Node.(type) {
		case *ast.Ident: // by a clause of a comprehension
			return true
		case *ast.LetClause:
			return embedsVariable(declared.Expr)
		}
	case *ast.ParenExpr:
		return embedsVariable(x.X)
	case *ast.SelectorExpr:
		return embedsVariable(x.X)
	case *ast.IndexExpr:
		return embedsVariable(x.X)
	case *ast.BinaryExpr:
		return (x.Op == token.AND || x.Op == token.OR) && (embedsVariable(x.X) || embedsVariable(x.Y))
	}
	return false
}
