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
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// Filename is the file name in the positions of an expression.
const Filename = "filter"

// Expression is a parsed filter expression: one condition, or constraints on
// context. An expression without either matches every event.
//
// CUE annotates syntax trees while it builds them, so each program is built from
// text again; its parts have the same order each time.
type Expression struct {
	text string
	file *ast.File
	// Conditions are the embedded expressions at the top of the file.
	Conditions []ast.Expr
	// Condition is the condition with the rules for absent values; nil where there is
	// none.
	Condition *Condition
	// Constraints are the declarations of context.
	Constraints []*ast.Field
	// helpers are the let clauses, hidden fields and definitions, by name.
	helpers map[string][]helper
	// imports maps the local names of packages to their import paths.
	imports map[string]string
	// declares is set where the text declares helpers.
	declares bool
}

// helper is a declaration that conditions and constraints may refer to. Identifiers
// that refer to it are resolved to node.
type helper struct {
	decl  ast.Decl
	value ast.Expr
	node  ast.Node
}

// helper returns the declarations that id refers to.
func (e *Expression) helper(id *ast.Ident) []helper {
	all := e.helpers[id.Name]
	if id.Node != nil && !slices.ContainsFunc(all, func(h helper) bool { return h.node == id.Node }) {
		return nil
	}
	return all
}

// isContext reports whether id refers to the context of the event, and not to a
// declaration that shadows it.
func (e *Expression) isContext(id *ast.Ident) bool {
	return id.Name == "context" && (id.Node == nil || slices.ContainsFunc(e.Constraints, func(f *ast.Field) bool {
		return unaliased(f.Value) == id.Node
	}))
}

func unaliased(x ast.Expr) ast.Expr {
	if a, ok := x.(*ast.Alias); ok {
		return a.Expr
	}
	return x
}

// Parse parses and checks a filter expression. It returns the expression, or all
// diagnostics, in the order of the text: syntax errors, declarations that are not
// allowed in a filter, unknown fields of context and unknown packages, conditions
// that cannot be boolean, and the errors that CUE finds without an event.
func Parse(text string) (*Expression, diag.List) {
	e, list := parseExpression(text)
	if e == nil {
		return nil, list
	}
	checked, err := check(e)
	if err != nil {
		return nil, append(list, diag.Diagnostic{Message: err.Error()})
	}
	list = append(list, checked...)
	list = append(list, vet(text, checked)...)
	if len(list) > 0 {
		return nil, sortByPosition(list)
	}
	e.split()
	if e.Condition != nil {
		e.Condition.describe()
	}
	if err := e.applyRules(); err != nil {
		return nil, append(list, diag.Diagnostic{Message: err.Error()})
	}
	return e, nil
}

// split sets e.Condition.
func (e *Expression) split() {
	if len(e.Conditions) > 0 {
		e.Condition = newCondition(e.Conditions[0], false)
	}
}

// applyRules applies the rules for absent values to e, after split.
func (e *Expression) applyRules() error {
	if err := DefineFunctions(e.file); err != nil {
		return err
	}
	for _, d := range e.file.Decls {
		if f, ok := d.(*ast.Field); ok && len(e.helpers[LabelName(f.Label)]) == 0 && closure.IsInternal(LabelName(f.Label)) {
			e.helpers[LabelName(f.Label)] = []helper{{f, f.Value, unaliased(f.Value)}}
		}
	}
	if e.Condition == nil {
		return nil
	}
	r := rules{applies: func(ast.Expr) bool { return true }, isInput: e.isInput, elements: loopElements(e.file)}
	r.rewrite(e.file)
	for _, leaf := range e.Condition.leaves() {
		leaf.Expr = r.leaf(leaf)
	}
	e.Conditions[0] = e.Condition.join(func(leaf *Condition) ast.Expr { return leaf.Expr })
	return nil
}

// isInput reports whether x is an input of a Program.
func (e *Expression) isInput(x ast.Expr) bool {
	r, ok := e.Reference(x)
	return ok && !r.Computed
}

// Text returns the text of e.
func (e *Expression) Text() string { return e.text }

// ContextFields returns the fields of context that e depends on.
func (e *Expression) ContextFields() FieldSet { return Dependencies("context", e.file) }

// parseExpression returns the expression of text, and the declarations in it that
// are not allowed in a filter. The expression is nil where text is not valid CUE.
func parseExpression(text string) (*Expression, diag.List) {
	if depth := nesting(text); depth > maxNesting {
		return nil, diag.List{{Line: 1, Column: 1, Message: fmt.Sprintf("nested too deep: %d brackets within each other, maximum is %d", depth, maxNesting)}}
	}
	file, err := ParseFile(Filename, text)
	if err != nil {
		return nil, syntaxHints(cueDiagnostics(err, nil), text)
	}
	e := &Expression{text: text, file: file, helpers: map[string][]helper{}, imports: map[string]string{}}
	var list diagnostics
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.ImportDecl:
			for _, spec := range d.Specs {
				e.imports[importName(spec)] = importPath(spec)
			}
		case *ast.LetClause:
			e.helpers[d.Ident.Name] = append(e.helpers[d.Ident.Name], helper{d, d.Expr, d})
		case *ast.Field:
			e.addField(d, &list)
		case *ast.EmbedDecl:
			if _, ok := d.Expr.(*ast.StructLit); ok && isGoTemplate(text) {
				list.add(d, "this is CUE, without {{ and }}")
				continue
			} else if ok {
				list.add(d, "a struct is not a condition; write the constraints without braces: context: data: …")
				continue
			}
			e.Conditions = append(e.Conditions, d.Expr)
		case *ast.Comprehension:
			list.add(d, "a comprehension is not allowed at the top of a filter; write one condition, with || and &&")
		case *ast.Ellipsis, *ast.BadDecl, *ast.Alias:
			list.add(d, "not allowed in a filter")
		}
	}
	switch {
	case len(e.Conditions) > 1:
		list.add(e.Conditions[1], "a filter has one condition; join conditions with && at the end of the previous line")
	case len(e.Conditions) > 0 && len(e.Constraints) > 0:
		list.add(e.Conditions[0], "a filter is a condition or constraints on context, not both; write all of it as one condition")
	case len(e.Conditions) == 0 && len(e.Constraints) == 0 && len(file.Decls) > 0 && len(list.list) == 0:
		list.add(file.Decls[0], "no condition and no constraint on context")
	}
	return e, list.list
}

// addField adds a field at the top of a filter: a constraint or a helper.
func (e *Expression) addField(f *ast.Field, list *diagnostics) {
	name, identifier, err := ast.LabelName(f.Label)
	_, aliased := f.Label.(*ast.Alias)
	switch {
	case aliased:
		list.add(f, "aliases are not allowed here; use a let clause")
	case err != nil:
		list.add(f, "constraints belong under context: computed label")
	case name == "context":
		e.Constraints = append(e.Constraints, f)
	case identifier && closure.IsInternal(name):
		e.helpers[name] = append(e.helpers[name], helper{f, f.Value, unaliased(f.Value)})
	default:
		hint := diag.Suggest(name, []string{"context"})
		if path := pathOf(name); hint == "" && path != "" {
			hint = "; did you mean " + strings.ReplaceAll(path, ".", ": ") + "?"
		}
		list.add(f, "constraints belong under context: unknown field %q%s", name, hint)
	}
}

// nonFunction begins CUE's error for a call of a function that there is not.
const nonFunction = "cannot call non-function"

// vet returns the errors that CUE finds in an expression before there is an event, without those that follow
// from what check has found.
func vet(text string, checked diag.List) diag.List {
	e, list := parseExpression(text)
	if len(list) > 0 || len(CheckCalls(e.file)) > 0 {
		return nil
	}
	e.split()
	if err := e.applyRules(); err != nil {
		return diag.List{{Message: err.Error()}}
	}
	file := e.asFields()
	if err := Resolve(file); err != nil {
		list = cueDiagnostics(err, e)
	}
	ctx := cuecontext.New()
	v := ctx.BuildFile(file)
	err := v.Validate()
	if err == nil {
		err = v.FillPath(ContextPath(), ctx.CompileString(event.Schema, cue.Filename("schema"))).Validate()
	}
	if err != nil {
		list = append(list, cueDiagnostics(err, e)...)
	}
	if len(checked) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(d diag.Diagnostic) bool { return strings.HasPrefix(d.Message, nonFunction) })
}

// Build returns the value of a filter or program. The errors of CUE are in the value.
func Build(ctx *cue.Context, text string) (cue.Value, error) {
	file, err := ParseFile(Filename, text)
	if err != nil {
		return cue.Value{}, err
	}
	if err := DefineFunctions(file); err != nil {
		return cue.Value{}, err
	}
	if err := Resolve(file); err != nil {
		return cue.Value{}, err
	}
	return ctx.BuildFile(file), nil
}

// asFields returns the file of e with its conditions as fields. It changes e.
func (e *Expression) asFields() *ast.File {
	if len(e.Constraints) > 0 {
		return e.file
	}
	e.file.Decls = slices.DeleteFunc(e.file.Decls, func(d ast.Decl) bool {
		_, condition := d.(*ast.EmbedDecl)
		return condition
	})
	for _, x := range e.Conditions {
		e.file.Decls = append(e.file.Decls, &ast.Field{Label: ast.NewString("condition"), Value: x})
	}
	e.file.Decls = append(e.file.Decls,
		&ast.Field{Label: ast.NewIdent("context"), Value: ast.NewIdent("_")},
		&ast.Field{Label: ast.NewIdent(AbsentField), Value: ast.NewIdent("bool")},
	)
	return e.file
}

// ContextPath returns the path of context.
func ContextPath() cue.Path { return cue.MakePath(cue.Str("context")) }
