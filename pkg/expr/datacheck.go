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
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/datatype"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/types"
)

// contextType returns the type of `context` without data.
func contextType() (datatype.Type, error) {
	schema, err := parser.ParseExpr("schema", event.Schema)
	if err != nil {
		return datatype.Type{}, err
	}
	return types.FromSchema(schema), nil
}

// dataChecker finds what the type of the data contradicts: fields that no event has, and comparisons of
// values of different kinds.
type dataChecker struct {
	context, data datatype.Type
	types         *types.Analysis
	Findings
}

// newDataChecker returns the checker of a file, whose identifiers are resolved, for events of a form.
func newDataChecker(file *ast.File, form event.Form) (*dataChecker, error) {
	context, err := contextType()
	if err != nil {
		return nil, err
	}
	c := &dataChecker{context: form.Context(context), data: form.Data}
	declared, values := map[string]int{}, map[ast.Node]string{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.Field); ok {
			name := LabelName(f.Label)
			declared[name]++
			values[unaliased(f.Value)] = name
		}
	}
	c.types = types.Analyse(file, func(id *ast.Ident) (datatype.Type, bool) {
		if id.Name == "context" && (id.Node == nil || values[id.Node] == "context") {
			return c.context, true
		}
		return datatype.Of(datatype.Any), declared[values[id.Node]] > 1
	})
	return c, nil
}

// field checks that a value of x may have a field.
func (c *dataChecker) field(x ast.Expr, label ast.Label) {
	if name, ok := fieldName(label); ok {
		c.name(label, c.types.Of(x), name, func() string { return Excerpt(x) })
	}
}

// name checks that the value at a path, whose type is given, may have a field.
func (c *dataChecker) name(label ast.Node, t datatype.Type, name string, path func() string) {
	if problem, certainty := unknownField(t, name, path, place{c.data, "context.data"}); problem != "" {
		if t.Kinds == datatype.List {
			problem += fmt.Sprintf(", whose elements are in a loop: [for x in %s {x.%s}]", path(), name)
		}
		c.add(label, certainty, "%s", problem)
	}
}

// place is a type of data and the path to it.
type place struct {
	datatype.Type
	path string
}

// elsewhere returns a hint with the only part of data that has a field of that name, or "": a Deployment has
// no spec.readyReplicas, but status.readyReplicas.
func elsewhere(data place, name string) string {
	found := ""
	for part, t := range data.Fields {
		if _, ok := t.Fields[name]; ok && found != "" {
			return ""
		} else if ok {
			found = fmt.Sprintf("; did you mean %s.%s.%s?", data.path, part, name)
		}
	}
	return found
}

// unknownField returns why the value at a path, whose type is given, has no field of that name, or "". data
// is the data that it is part of.
func unknownField(t datatype.Type, name string, path func() string, data place) (problem string, certainty Certainty) {
	if t.LowerCase && name != strings.ToLower(name) {
		return fmt.Sprintf("names of %s are in lower case: %q", lastElement(path()), strings.ToLower(name)), Impossible
	}
	if _, ok := t.Field(name); ok {
		return "", 0
	}
	switch {
	case t.Kinds == datatype.List:
		return fmt.Sprintf("%s has no field %q: it is a list", path(), name), UnknownField
	case !t.Kinds.Has(datatype.Struct) && t.Kinds.IsOne():
		return fmt.Sprintf("%s has no field %q: it is %s", path(), name, t.Kinds), UnknownField
	case !t.Kinds.Has(datatype.Struct):
		return "", 0
	}
	known := slices.Sorted(maps.Keys(t.Fields))
	hint := elsewhere(data, name)
	if hint == "" {
		hint = diag.Suggest(name, known)
	}
	if t.Origin != "" {
		return fmt.Sprintf("%s has no field %q (%s)%s", path(), name, t.Origin, hint), UnknownField
	}
	if hint == "" && slices.Contains(known, "body") {
		hint = fmt.Sprintf("; did you mean %s.body.%s?", path(), name)
	}
	return fmt.Sprintf("no event of this source has %s.%s%s; fields: %s", path(), name, hint, strings.Join(known, ", ")), Impossible
}

// lastElement returns the last name of a path.
func lastElement(path string) string { return path[strings.LastIndex(path, ".")+1:] }

// operands checks that the operands of a comparison may be of one kind. What is never true is a problem if
// no event meets the condition because of it.
func (c *dataChecker) operands(x *ast.BinaryExpr, certainty Certainty) {
	message := c.mismatch(x)
	if message == "" {
		return
	}
	if certainty == Impossible {
		message += "; the filter never matches"
	}
	c.add(x, certainty, "%s", message)
}

// mismatch returns why a comparison has the same result, or none, for every event, or "".
func (c *dataChecker) mismatch(x *ast.BinaryExpr) string {
	a, b := c.types.Of(x.X).Kinds, c.types.Of(x.Y).Kinds
	switch {
	case x.Op == token.MAT || x.Op == token.NMAT:
		if isKnown(a) && a != datatype.String {
			return fmt.Sprintf("%s compares with a string, and this is %s: %s", x.Op, a, Excerpt(x))
		}
	case !isKnown(a) || !isKnown(b) || a == b:
	case x.Op == token.EQL || x.Op == token.NEQ:
		return fmt.Sprintf("%s and %s are never equal: %s%s", a, b, Excerpt(x), c.literalHint(x))
	case isOrder(x.Op):
		return fmt.Sprintf("%s and %s have no order: %s%s", a, b, Excerpt(x), c.literalHint(x))
	}
	return ""
}

// literalHint returns the literal of the right kind that is likely meant by an operand, or "".
func (c *dataChecker) literalHint(x *ast.BinaryExpr) string {
	value, literal := x.X, x.Y
	lit, ok := literal.(*ast.BasicLit)
	if !ok {
		if lit, ok = value.(*ast.BasicLit); !ok {
			return ""
		}
		value = x.Y
	}
	text, isText := stringLiteral(lit)
	meant := ""
	switch kind := c.types.Of(value).Kinds; {
	case kind == datatype.Number && isText && isNumeral(text):
		meant = text
	case kind == datatype.Bool && isText && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")):
		meant = strings.ToLower(text)
	case kind == datatype.String && (lit.Kind == token.TRUE || lit.Kind == token.FALSE):
		meant = fmt.Sprintf("%q", lit.Value)
		if lastElement(Excerpt(value)) == "status" { // of a condition
			meant = fmt.Sprintf("%q", strings.ToUpper(lit.Value[:1])+lit.Value[1:])
		}
	case kind == datatype.String && (lit.Kind == token.INT || lit.Kind == token.FLOAT):
		meant = fmt.Sprintf("%q", lit.Value)
	}
	if meant == "" {
		return ""
	}
	return "; did you mean " + meant + "?"
}

// isNumeral reports whether text is a number in CUE.
func isNumeral(text string) bool {
	x, err := parser.ParseExpr("", text)
	if err != nil {
		return false
	}
	lit, ok := x.(*ast.BasicLit)
	return ok && (lit.Kind == token.INT || lit.Kind == token.FLOAT)
}

// condition checks the comparisons at the top of a condition, and returns those it has checked. If the
// condition can hold for no event, they are impossible.
func (c *dataChecker) condition(x ast.Expr) map[ast.Node]bool {
	condition, checked := newCondition(x, false), map[ast.Node]bool{}
	certainty := Doubtful
	if c.isNeverTrue(condition) {
		certainty = Impossible
	}
	for _, leaf := range condition.leaves() {
		if !c.isNeverTrue(leaf) {
			continue
		}
		if comparison, ok := leaf.Expr.(*ast.BinaryExpr); ok {
			checked[comparison] = true
			c.operands(comparison, certainty)
			continue
		}
		c.add(leaf.Expr, certainty, "must be a boolean, not %s: %s", c.types.Of(leaf.Expr).Kinds, Excerpt(leaf.Expr))
	}
	return checked
}

// isNeverTrue reports whether no event meets a condition because of the kinds of its values.
func (c *dataChecker) isNeverTrue(condition *Condition) bool {
	switch condition.Op {
	case token.LAND:
		return slices.ContainsFunc(condition.Parts, c.isNeverTrue)
	case token.LOR:
		return !slices.ContainsFunc(condition.Parts, func(p *Condition) bool { return !c.isNeverTrue(p) })
	}
	comparison, ok := condition.Expr.(*ast.BinaryExpr)
	if !ok {
		k := c.types.Of(condition.Expr).Kinds
		return isKnown(k) && k != datatype.Bool
	}
	equality := comparison.Op == token.EQL || comparison.Op == token.NEQ
	if equality && (comparison.Op == token.NEQ) != condition.negated {
		return false
	}
	return c.mismatch(comparison) != ""
}

// constraint checks x, a constraint on the value at a path, whose type is given.
func (c *dataChecker) constraint(x ast.Expr, t datatype.Type, path string, certainty Certainty) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		c.constraint(x.X, t, path, certainty)
		return
	case *ast.BinaryExpr:
		if x.Op == token.AND || x.Op == token.OR {
			if x.Op == token.OR {
				certainty = Doubtful
			}
			c.constraint(x.X, t, path, certainty)
			c.constraint(x.Y, t, path, certainty)
			return
		}
	case *ast.StructLit:
		c.fields(x, t, path, certainty)
	case *ast.ListLit:
		for _, e := range x.Elts {
			if open, ok := e.(*ast.Ellipsis); ok {
				e = open.Type
			}
			if e != nil && t.Kinds.Has(datatype.List) {
				c.constraint(e, t.Element(), path+"[]", Doubtful)
			}
		}
	}
	constraint := c.types.Constraint(x).Kinds
	if constraint&t.Kinds != 0 || !isKnown(constraint) || !isKnown(t.Kinds) {
		return
	}
	message := fmt.Sprintf("%s is %s, not %s: %s", path, t.Kinds, constraint, Excerpt(x))
	if certainty == Impossible {
		message += "; the filter never matches"
	}
	c.add(x, certainty, "%s", message)
}

// fields checks the fields of a struct that constrains the value at a path.
func (c *dataChecker) fields(x *ast.StructLit, t datatype.Type, path string, certainty Certainty) {
	for _, d := range x.Elts {
		f, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		name, static := fieldName(f.Label)
		if !static {
			continue
		}
		c.name(f.Label, t, name, func() string { return path })
		inner := certainty
		if f.Constraint != token.ILLEGAL {
			inner = Doubtful
		}
		if next, ok := t.Field(name); ok {
			c.constraint(f.Value, next, path+"."+name, inner)
		}
	}
}
