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
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// sourceNames returns the names and strings in n: what n can select a field by, unless it
// computes the name.
func sourceNames(n ast.Node) NameSet {
	names := NameSet{}
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			names[n.Name] = true
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				if s, err := literal.Unquote(n.Value); err == nil {
					names[s] = true
				}
			}
		}
		return true
	}, nil)
	return names
}

// NameUse is how values depend on the names of fields.
type NameUse struct {
	// Observed is set where values may depend on names, other than by selecting fields
	// whose names are in Source. Otherwise fields can be renamed before an evaluation,
	// and in its results, which may contain names in JSON. It may be set without need.
	Observed bool
	// Source are the names and strings in the source.
	Source NameSet
	// Looped are the fields that must not be objects with renamed fields.
	Looped LoopedFields
}

// UseOfNames returns how the values in file depend on the names of fields. The
// identifiers of file have to be resolved.
func UseOfNames(file *ast.File) NameUse {
	looped, known := loopedFields(file)
	return NameUse{Observed: !known || observesNames(file), Source: sourceNames(file), Looped: looped}
}

// Add adds other to u.
func (u *NameUse) Add(other NameUse) {
	if u.Source == nil {
		u.Source, u.Looped = NameSet{}, LoopedFields{NameSet{}, NameSet{}}
	}
	u.Observed = u.Observed || other.Observed
	maps.Copy(u.Source, other.Source)
	maps.Copy(u.Looped.Context, other.Looped.Context)
	maps.Copy(u.Looped.Results, other.Looped.Results)
}

func observesNames(file *ast.File) bool {
	o := nameObserver{keys: NameSet{}, encoded: NameSet{}}
	ast.Walk(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.ForClause); ok && f.Key != nil {
			o.keys[f.Key.Name] = true
		}
		return true
	}, nil)
	delete(o.keys, "_")
	for known := -1; known < len(o.encoded) && !o.observed; {
		known = len(o.encoded)
		astutil.Apply(file, func(c astutil.Cursor) bool {
			o.observed = o.observed || o.observes(c)
			return !o.observed
		}, nil)
	}
	return o.observed
}

// nameObserver finds the expressions that depend on the names of fields.
type nameObserver struct {
	observed bool
	// keys are the variables of loops that hold names.
	keys NameSet
	// encoded are the names of declarations whose values may contain JSON with names.
	encoded NameSet
}

func (o *nameObserver) observes(c astutil.Cursor) bool {
	switch n := c.Node().(type) {
	case *ast.Field:
		return o.isComputed(n.Label)
	case *ast.Alias:
		return true
	case *ast.IndexExpr:
		_, static := n.Index.(*ast.BasicLit)
		return !static
	case *ast.CallExpr:
		return o.call(c, n)
	case *ast.Ident:
		return o.ident(c, n)
	}
	return false
}

// isComputed reports whether a label depends on more than the variable of a loop, or
// applies to some names only.
func (o *nameObserver) isComputed(l ast.Label) bool {
	switch l := l.(type) {
	case *ast.Ident, *ast.BasicLit:
		return false
	case *ast.ParenExpr:
		if key, ok := l.X.(*ast.Ident); ok {
			return !o.keys[key.Name]
		}
		_, static := l.X.(*ast.BasicLit)
		root, _ := selectorPath(l.X)
		return !static && root != "parameter" // the names in properties are kept
	case *ast.ListLit:
		if len(l.Elts) == 1 {
			all, ok := l.Elts[0].(*ast.Ident)
			return !ok || all.Name != "string"
		}
	}
	return true
}

// ident reports whether an identifier is the name of a field and used as a text, or a
// value with names in JSON that is not passed on as it is.
func (o *nameObserver) ident(c astutil.Cursor, id *ast.Ident) bool {
	if isName(parentNode(c), id) {
		return false
	}
	if o.keys[id.Name] && !o.isLabel(c) && !isComparison(parentNode(c)) {
		return true
	}
	if !o.encoded[id.Name] {
		return false
	}
	path := c
	for isPath(parentNode(path), path.Node()) {
		path = path.Parent()
	}
	if _, throughReturns := rootIdent(path.Node()); throughReturns {
		return false
	}
	return !o.passesOn(path)
}

// isLabel reports whether the node at c is the variable in a label `(k)`.
func (o *nameObserver) isLabel(c astutil.Cursor) bool {
	paren, ok := parentNode(c).(*ast.ParenExpr)
	if !ok {
		return false
	}
	f, ok := parentNode(c.Parent()).(*ast.Field)
	return ok && f.Label == ast.Label(paren)
}

func parentNode(c astutil.Cursor) ast.Node {
	if c.Parent() == nil {
		return nil
	}
	return c.Parent().Node()
}

// isComparison reports whether n compares with a string of the source.
func isComparison(n ast.Node) bool {
	x, ok := n.(*ast.BinaryExpr)
	if !ok || x.Op != token.EQL && x.Op != token.NEQ {
		return false
	}
	return isString(x.X) || isString(x.Y)
}

func isString(x ast.Expr) bool {
	lit, ok := x.(*ast.BasicLit)
	return ok && lit.Kind == token.STRING
}

// isPath reports whether parent selects from x.
func isPath(parent, x ast.Node) bool {
	switch parent := parent.(type) {
	case *ast.SelectorExpr:
		return parent.X == x
	case *ast.IndexExpr:
		return parent.X == x
	}
	return false
}

func (o *nameObserver) call(c astutil.Cursor, call *ast.CallExpr) bool {
	if isLenCall(call) {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return true
	}
	pkg, _ := sel.X.(*ast.Ident)
	if pkg == nil {
		return true
	}
	spec, ok := pkg.Node.(*ast.ImportSpec)
	if !ok {
		return true
	}
	switch path := importPath(spec); path {
	case "encoding/json":
		switch LabelName(sel.Sel) {
		case "Marshal":
			return !o.passesOn(c)
		case "Valid":
			return false
		}
		// Of a decoded value, only a number can be added.
		x, ok := parentNode(c).(*ast.BinaryExpr)
		return !ok || x.Op != token.ADD || !isNumber(x.X) && !isNumber(x.Y)
	case "strings", "regexp", "strconv", "math", "encoding/hex", "encoding/base64", "time", "path", "net":
		return false // functions of scalars and lists of scalars
	default:
		return !strings.HasPrefix(path, "crypto/")
	}
}

func isNumber(x ast.Expr) bool {
	lit, ok := x.(*ast.BasicLit)
	return ok && lit.Kind == token.INT
}

// passesOn reports whether the value at c is only a part of other values, as a whole. It
// adds the declarations of these values to encoded.
func (o *nameObserver) passesOn(c astutil.Cursor) bool {
	for child := c.Node(); ; child = c.Node() {
		if c = c.Parent(); c == nil {
			return true
		}
		switch n := c.Node().(type) {
		case *ast.File, *ast.StructLit, *ast.ListLit, *ast.EmbedDecl, *ast.ParenExpr:
		case *ast.Field:
			if n.Value != child {
				return false
			}
			o.encoded[LabelName(n.Label)] = true
		case *ast.LetClause:
			o.encoded[n.Ident.Name] = true
		case *ast.Comprehension:
			if n.Value != child {
				return false
			}
		case *ast.IndexExpr:
			if n.X != child {
				return false
			}
		case *ast.BinaryExpr:
			if n.Op != token.AND && n.Op != token.OR {
				return false
			}
		case *ast.UnaryExpr:
			if n.Op != token.MUL {
				return false
			}
		case *ast.CallExpr:
			if !callsFunction(n, "encoding/json", "Marshal") || !slices.Contains(n.Args, child.(ast.Expr)) {
				return false
			}
		default:
			return false
		}
	}
}
