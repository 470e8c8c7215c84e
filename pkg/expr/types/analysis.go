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

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/expr/measure"
)

// Inputs returns the type of an identifier that has its values with each event, such as context;
// false for all other identifiers.
type Inputs func(id *ast.Ident) (datatype.Type, bool)

// Analysis tells the types of the expressions of a file.
type Analysis struct {
	inputs Inputs
	// sources are what loops are over, by the variables with the elements. Those with the keys
	// are in keys.
	sources map[ast.Node]ast.Expr
	keys    map[ast.Node]bool
	// known are the types of expressions, and following the declarations that are being looked
	// at, which may refer to themselves.
	known     map[ast.Expr]datatype.Type
	following map[ast.Node]bool
}

// Analyse returns the analysis of a file, whose identifiers have to be resolved.
func Analyse(file *ast.File, inputs Inputs) *Analysis {
	a := &Analysis{
		inputs: inputs, sources: map[ast.Node]ast.Expr{}, keys: map[ast.Node]bool{},
		known: map[ast.Expr]datatype.Type{}, following: map[ast.Node]bool{},
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
func (a *Analysis) Of(x ast.Expr) datatype.Type {
	t, ok := a.known[x]
	if !ok {
		t = a.typeOf(x)
		if len(a.following) == 0 { // else it may be that of a part of a cycle
			a.known[x] = t
		}
	}
	return t
}

func (a *Analysis) typeOf(x ast.Expr) datatype.Type {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return a.Of(x.X)
	case *ast.BasicLit:
		return datatype.Of(literalKinds(x))
	case *ast.Interpolation:
		if quotes, ok := x.Elts[0].(*ast.BasicLit); ok {
			return datatype.Of(literalKinds(quotes))
		}
	case *ast.ListLit:
		return a.list(x)
	case *ast.StructLit:
		return datatype.Of(datatype.Struct)
	case *ast.SliceExpr:
		return datatype.Of(datatype.List | datatype.Bytes)
	case *ast.BottomLit:
		return datatype.Of(datatype.Any &^ datatype.Bool)
	case *ast.Ident:
		return a.ident(x)
	case *ast.SelectorExpr:
		name, _, err := ast.LabelName(x.Sel)
		if _, ok := importOf(x.X); ok || err != nil {
			return datatype.Of(datatype.Any &^ datatype.Bool)
		}
		return field(a.Of(x.X), name)
	case *ast.IndexExpr:
		return a.index(x)
	case *ast.UnaryExpr:
		return a.unary(x)
	case *ast.BinaryExpr:
		return a.binary(x)
	case *ast.CallExpr:
		return datatype.Of(a.call(x))
	}
	return datatype.Of(datatype.Any)
}

func field(t datatype.Type, name string) datatype.Type {
	f, ok := t.Field(name)
	if !ok {
		return datatype.Of(datatype.Any)
	}
	return f
}

func literalKinds(x *ast.BasicLit) datatype.Kinds {
	switch x.Kind {
	case token.NULL:
		return datatype.Null
	case token.TRUE, token.FALSE:
		return datatype.Bool
	case token.STRING:
		if strings.HasPrefix(strings.TrimLeft(x.Value, "#"), "'") {
			return datatype.Bytes
		}
		return datatype.String
	case token.INT, token.FLOAT:
		return datatype.Number
	}
	return datatype.Any
}

// ident is the name of an input, a variable of a loop, a declaration, or a type.
func (a *Analysis) ident(x *ast.Ident) datatype.Type {
	if t, ok := a.inputs(x); ok {
		return t
	}
	switch {
	case x.Node == nil:
		if slices.Contains([]string{"_", "bool", "string", "bytes", "int", "float", "number"}, x.Name) {
			return datatype.Of(datatype.Any &^ datatype.Bool) // it is no value
		}
		return datatype.Of(datatype.Any)
	case a.keys[x.Node]:
		return datatype.Of(datatype.String | datatype.Number)
	case a.following[x.Node]:
		return datatype.Of(datatype.Any)
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
	return datatype.Of(datatype.Any)
}

func (a *Analysis) list(x *ast.ListLit) datatype.Type {
	t := datatype.Of(datatype.List)
	var elements *datatype.Type
	for _, e := range x.Elts {
		var element datatype.Type
		switch e := e.(type) {
		case *ast.Ellipsis:
			return t
		case *ast.Comprehension:
			element = a.element(e)
		default:
			element = a.Of(e)
		}
		if elements != nil {
			element = datatype.Union(*elements, element)
		}
		elements = &element
	}
	t.Elements = elements
	return t
}

// element returns the type of the elements of a comprehension.
func (a *Analysis) element(x *ast.Comprehension) datatype.Type {
	body, ok := x.Value.(*ast.StructLit)
	if !ok {
		return datatype.Of(datatype.Any)
	}
	if len(body.Elts) == 1 {
		if embedded, ok := body.Elts[0].(*ast.EmbedDecl); ok {
			return a.Of(embedded.Expr)
		}
	}
	return datatype.Of(datatype.Struct)
}

func (a *Analysis) index(x *ast.IndexExpr) datatype.Type {
	operand := a.Of(x.X)
	if lit, ok := x.Index.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if name, _, err := ast.LabelName(lit); err == nil {
			return field(operand, name)
		}
	}
	if operand.Kinds == datatype.List {
		return operand.Element()
	}
	return datatype.Of(datatype.Any)
}

func (a *Analysis) unary(x *ast.UnaryExpr) datatype.Type {
	switch x.Op {
	case token.NOT:
		return datatype.Of(datatype.Bool)
	case token.MUL: // the default of a disjunction
		return a.Of(x.X)
	case token.ADD, token.SUB:
		return datatype.Of(datatype.Number)
	}
	return datatype.Of(datatype.Any &^ datatype.Bool) // a bound, which is no value
}

func (a *Analysis) binary(x *ast.BinaryExpr) datatype.Type {
	switch x.Op {
	case token.LAND, token.LOR, token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.MAT, token.NMAT:
		return datatype.Of(datatype.Bool)
	case token.OR:
		return datatype.Union(a.Of(x.X), a.Of(x.Y))
	case token.AND:
		return a.unification(x)
	case token.SUB, token.QUO:
		return datatype.Of(datatype.Number)
	}
	both := a.Of(x.X).Kinds & a.Of(x.Y).Kinds & (datatype.Number | datatype.String | datatype.Bytes)
	if x.Op == token.MUL && both != datatype.Number || both == 0 {
		return datatype.Of(datatype.Any &^ datatype.Bool)
	}
	return datatype.Of(both)
}

// unification is `x & y`, of which an operand may be a type or a bound.
func (a *Analysis) unification(x *ast.BinaryExpr) datatype.Type {
	left, right := a.Constraint(x.X), a.Constraint(x.Y)
	both := left.Kinds & right.Kinds
	switch {
	case both == 0:
		return datatype.Of(datatype.Any)
	case left.Kinds == both && !right.Kinds.Has(datatype.Struct|datatype.List), right.Kinds == datatype.Any:
		left.Kinds = both
		return left
	}
	return datatype.Of(both)
}

// Constraint returns the type of the values that x can be unified with.
func (a *Analysis) Constraint(x ast.Expr) datatype.Type {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return a.Constraint(x.X)
	case *ast.Ident:
		if x.Node == nil {
			if kinds := namedKinds(x.Name); kinds != datatype.Any {
				return datatype.Of(kinds)
			}
		}
	case *ast.UnaryExpr:
		switch x.Op {
		case token.NEQ:
			if lit, ok := x.X.(*ast.BasicLit); ok && lit.Kind == token.NULL {
				return datatype.Of(datatype.Any &^ datatype.Null)
			}
			return datatype.Of(datatype.Any)
		case token.LSS, token.LEQ, token.GTR, token.GEQ:
			ordered := datatype.Number | datatype.String | datatype.Bytes
			if of := a.Of(x.X).Kinds & ordered; of != 0 {
				return datatype.Of(of)
			}
			return datatype.Of(ordered)
		case token.MAT, token.NMAT:
			return datatype.Of(datatype.String | datatype.Bytes)
		}
	}
	return a.Of(x)
}

func (a *Analysis) call(x *ast.CallExpr) datatype.Kinds {
	switch f := x.Fun.(type) {
	case *ast.Ident:
		switch {
		case f.Name == string(measure.Version):
			return datatype.String
		case slices.Contains([]string{"len", "div", "mod", "quo", "rem", string(measure.Quantity), string(measure.Timestamp)}, f.Name):
			return datatype.Number
		case f.Name == "close":
			return datatype.Struct
		}
	case *ast.SelectorExpr:
		path, ok := importOf(f.X)
		name, _, err := ast.LabelName(f.Sel)
		if ok && err == nil && !slices.Contains(BoolFunctions(path), name) {
			return datatype.Any &^ datatype.Bool
		}
	}
	return datatype.Any
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
