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

package types

import (
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// FromSchema returns the type of the values of a CUE schema: structs, lists, names of types, and
// literals. What it does not know may be anything.
func FromSchema(x ast.Expr) Type {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return FromSchema(x.X)
	case *ast.Ident:
		return Of(namedKinds(x.Name))
	case *ast.BasicLit:
		return Of(literalKinds(x))
	case *ast.ListLit:
		return listType(x)
	case *ast.StructLit:
		return structType(x)
	case *ast.UnaryExpr:
		if x.Op == token.MUL {
			return FromSchema(x.X)
		}
	case *ast.BinaryExpr:
		if x.Op == token.OR {
			return union(FromSchema(x.X), FromSchema(x.Y))
		}
	}
	return Of(Any)
}

func listType(x *ast.ListLit) Type {
	t := Of(List)
	if len(x.Elts) == 1 {
		if open, ok := x.Elts[0].(*ast.Ellipsis); ok && open.Type != nil {
			element := FromSchema(open.Type)
			t.Elements = &element
		}
	}
	return t
}

func structType(x *ast.StructLit) Type {
	t := Type{Kinds: Struct, Closed: true, Fields: map[string]Type{}}
	for _, d := range x.Elts {
		switch d := d.(type) {
		case *ast.Field:
			if name, _, err := ast.LabelName(d.Label); err == nil {
				t.Fields[name] = FromSchema(d.Value)
				continue
			}
			t.Closed = false // a pattern
		case *ast.CommentGroup, *ast.Attribute:
		default:
			t.Closed = false
		}
	}
	return t
}

// namedKinds returns the kinds of the values of a type of CUE's own.
func namedKinds(name string) Kinds {
	switch name {
	case "bool":
		return Bool
	case "string":
		return String
	case "bytes":
		return Bytes
	case "int", "float", "number":
		return Number
	}
	return Any
}

// union returns the type of the values of a and b.
func union(a, b Type) Type {
	if a.Kinds == Struct && b.Kinds == Struct || a.Kinds == List && b.Kinds == List {
		return Of(a.Kinds)
	}
	switch {
	case a.Kinds.Has(Struct | List):
		a.Kinds |= b.Kinds
		return a
	case b.Kinds.Has(Struct | List):
		b.Kinds |= a.Kinds
		return b
	}
	return Of(a.Kinds | b.Kinds)
}
