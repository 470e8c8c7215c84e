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
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// Inputs returns the type of an identifier that has its values with each event, such as context;
// false for all other identifiers.
type Inputs func(id *ast.Ident) (Type, bool)

// Analysis tells the types of the expressions of a file.
type Analysis struct {
	inputs Inputs
	// sources are what loops are over, by the variables with the elements. Those with the keys
	// are in keys.
	sources map[ast.Node]ast.Expr
	keys    map[ast.Node]bool
	// known are the types of expressions, and following the declarations that are being looked
	// at, which may refer to themselves.
	known     map[ast.Expr]Type
	following map[ast.Node]bool
}

// Analyse returns the analysis of a file, whose identifiers have to be resolved.
func Analyse(file *ast.File, inputs Inputs) *Analysis {
	a := &Analysis{
		inputs: inputs, sources: map[ast.Node]ast.Expr{}, keys: map[ast.Node]bool{},
		known: map[ast.Expr]Type{}, following: map[ast.Node]bool{},
	}
	ast.Walk(file, func(n ast.Node) bool {
		if loop, ok := n.(*ast.ForClause); ok {
			if loop.Key != nil {
				a.keys[loop.Key] = true
			}
			if loop.Value != nil {
				a.sources[loop.Value] = loop.Source
			}
		}
		return true
	}, nil)
	return a
}

// Of returns the type of the values that x can have. What has no value has any type.
func (a *Analysis) Of(x ast.Expr) Type {
	t, ok := a.known[x]
	if !ok {
		t = a.typeOf(x)
		if len(a.following) == 0 { // else it may be that of a part of a cycle
			a.known[x] = t
		}
	}
	return t
}

func (a *Analysis) typeOf(x ast.Expr) Type {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return a.Of(x.X)
	case *ast.BasicLit:
		return Of(literalKinds(x))
	case *ast.Interpolation:
		if quotes, ok := x.Elts[0].(*ast.BasicLit); ok {
			return Of(literalKinds(quotes))
		}
	case *ast.ListLit:
		return a.list(x)
	case *ast.StructLit:
		return Of(Struct)
	case *ast.SliceExpr:
		return Of(List | Bytes)
	case *ast.BottomLit:
		return Of(Any &^ Bool)
	case *ast.Ident:
		return a.ident(x)
	case *ast.SelectorExpr:
		name, _, err := ast.LabelName(x.Sel)
		if _, ok := importOf(x.X); ok || err != nil {
			return Of(Any &^ Bool)
		}
		return field(a.Of(x.X), name)
	case *ast.IndexExpr:
		return a.index(x)
	case *ast.UnaryExpr:
		return a.unary(x)
	case *ast.BinaryExpr:
		return a.binary(x)
	case *ast.CallExpr:
		return Of(a.call(x))
	}
	return Of(Any)
}

func field(t Type, name string) Type {
	f, ok := t.Field(name)
	if !ok {
		return Of(Any)
	}
	return f
}

func literalKinds(x *ast.BasicLit) Kinds {
	switch x.Kind {
	case token.NULL:
		return Null
	case token.TRUE, token.FALSE:
		return Bool
	case token.STRING:
		if strings.HasPrefix(strings.TrimLeft(x.Value, "#"), "'") {
			return Bytes
		}
		return String
	case token.INT, token.FLOAT:
		return Number
	}
	return Any
}

// ident is the name of an input, a variable of a loop, a declaration, or a type.
func (a *Analysis) ident(x *ast.Ident) Type {
	if t, ok := a.inputs(x); ok {
		return t
	}
	switch {
	case x.Node == nil:
		if slices.Contains([]string{"_", "bool", "string", "bytes", "int", "float", "number"}, x.Name) {
			return Of(Any &^ Bool) // it is no value
		}
		return Of(Any)
	case a.keys[x.Node]:
		return Of(String | Number)
	case a.following[x.Node]:
		return Of(Any)
	}
	a.following[x.Node] = true
	defer delete(a.following, x.Node)
	if source, ok := a.sources[x.Node]; ok {
		return a.Of(source).Element()
	}
	switch declared := x.Node.(type) {
	case *ast.LetClause:
		return a.Of(declared.Expr)
	case *ast.ImportSpec, *ast.Field, *ast.Alias:
	case ast.Expr:
		if _, constraint := declared.(*ast.UnaryExpr); !constraint {
			return a.Of(declared)
		}
	}
	return Of(Any)
}

func (a *Analysis) list(x *ast.ListLit) Type {
	t := Of(List)
	var elements *Type
	for _, e := range x.Elts {
		var element Type
		switch e := e.(type) {
		case *ast.Ellipsis:
			return t
		case *ast.Comprehension:
			element = a.element(e)
		default:
			element = a.Of(e)
		}
		if elements != nil {
			element = union(*elements, element)
		}
		elements = &element
	}
	t.Elements = elements
	return t
}

// element returns the type of the elements of a comprehension.
func (a *Analysis) element(x *ast.Comprehension) Type {
	body, ok := x.Value.(*ast.StructLit)
	if !ok {
		return Of(Any)
	}
	if len(body.Elts) == 1 {
		if embedded, ok := body.Elts[0].(*ast.EmbedDecl); ok {
			return a.Of(embedded.Expr)
		}
	}
	return Of(Struct)
}

func (a *Analysis) index(x *ast.IndexExpr) Type {
	operand := a.Of(x.X)
	if lit, ok := x.Index.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if name, _, err := ast.LabelName(lit); err == nil {
			return field(operand, name)
		}
	}
	if operand.Kinds == List {
		return operand.Element()
	}
	return Of(Any)
}

func (a *Analysis) unary(x *ast.UnaryExpr) Type {
	switch x.Op {
	case token.NOT:
		return Of(Bool)
	case token.MUL: // the default of a disjunction
		return a.Of(x.X)
	case token.ADD, token.SUB:
		return Of(Number)
	}
	return Of(Any &^ Bool) // a bound, which is no value
}

func (a *Analysis) binary(x *ast.BinaryExpr) Type {
	switch x.Op {
	case token.LAND, token.LOR, token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT:
		return Of(Bool)
	case token.OR:
		return union(a.Of(x.X), a.Of(x.Y))
	case token.AND:
		return a.unification(x)
	case token.SUB, token.QUO:
		return Of(Number)
	}
	both := a.Of(x.X).Kinds & a.Of(x.Y).Kinds & (Number | String | Bytes)
	if x.Op == token.MUL && both != Number || both == 0 {
		return Of(Any &^ Bool)
	}
	return Of(both)
}

// unification is `x & y`, of which an operand may be a type or a bound.
func (a *Analysis) unification(x *ast.BinaryExpr) Type {
	left, right := a.constraint(x.X), a.constraint(x.Y)
	both := left.Kinds & right.Kinds
	switch {
	case both == 0:
		return Of(Any)
	case left.Kinds == both && !right.Kinds.Has(Struct|List), right.Kinds == Any:
		left.Kinds = both
		return left
	}
	return Of(both)
}

// constraint returns the type of the values that x can be unified with.
func (a *Analysis) constraint(x ast.Expr) Type {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return a.constraint(x.X)
	case *ast.Ident:
		if x.Node == nil {
			if kinds := namedKinds(x.Name); kinds != Any {
				return Of(kinds)
			}
		}
	case *ast.UnaryExpr:
		switch x.Op {
		case token.NEQ:
			if lit, ok := x.X.(*ast.BasicLit); ok && lit.Kind == token.NULL {
				return Of(Any &^ Null)
			}
			return Of(Any)
		case token.LSS, token.LEQ, token.GTR, token.GEQ:
			return Of(Number | String | Bytes)
		case token.MAT, token.NMAT:
			return Of(String | Bytes)
		}
	}
	return a.Of(x)
}

func (a *Analysis) call(x *ast.CallExpr) Kinds {
	switch f := x.Fun.(type) {
	case *ast.Ident:
		switch {
		case f.Name == string(measure.Version):
			return String
		case slices.Contains([]string{"len", "div", "mod", "quo", "rem", string(measure.Quantity), string(measure.Timestamp)}, f.Name):
			return Number
		case f.Name == "close":
			return Struct
		}
	case *ast.SelectorExpr:
		path, ok := importOf(f.X)
		name, _, err := ast.LabelName(f.Sel)
		if ok && err == nil && !slices.Contains(BoolFunctions(path), name) {
			return Any &^ Bool
		}
	}
	return Any
}

// importOf returns the path of the package that x names.
func importOf(x ast.Expr) (path string, ok bool) {
	id, ok := x.(*ast.Ident)
	if !ok {
		return "", false
	}
	spec, ok := id.Node.(*ast.ImportSpec)
	if !ok {
		return "", false
	}
	return strings.Trim(spec.Path.Value, `"`), true
}
