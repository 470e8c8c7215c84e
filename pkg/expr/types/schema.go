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

	"github.com/kubevela/kube-trigger/pkg/datatype"
)

// FromSchema returns the type of the values of a CUE schema: structs, lists, names of types, and
// literals. What it does not know may be anything.
func FromSchema(x ast.Expr) datatype.Type {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return FromSchema(x.X)
	case *ast.Ident:
		return datatype.Of(namedKinds(x.Name))
	case *ast.BasicLit:
		return datatype.Of(literalKinds(x))
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
			return datatype.Union(FromSchema(x.X), FromSchema(x.Y))
		}
	}
	return datatype.Of(datatype.Any)
}

func listType(x *ast.ListLit) datatype.Type {
	t := datatype.Of(datatype.List)
	if len(x.Elts) == 1 {
		if open, ok := x.Elts[0].(*ast.Ellipsis); ok && open.Type != nil {
			element := FromSchema(open.Type)
			t.Elements = &element
		}
	}
	return t
}

func structType(x *ast.StructLit) datatype.Type {
	t := datatype.Type{Kinds: datatype.Struct, Closed: true, Fields: map[string]datatype.Type{}}
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
func namedKinds(name string) datatype.Kinds {
	switch name {
	case "bool":
		return datatype.Bool
	case "string":
		return datatype.String
	case "bytes":
		return datatype.Bytes
	case "int", "float", "number":
		return datatype.Number
	}
	return datatype.Any
}
