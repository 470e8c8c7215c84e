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

package filter

import (
	"context"
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// Compile makes a filter of expr for the trigger t. It returns every problem it
// finds, with line and column within expr, and then no filter.
//
// expr is CUE, in one of two forms, and may import CUE's standard library and
// declare let clauses, hidden fields and definitions:
//
//   - A boolean expression matches where it is true. The operands of && and ||
//     at its top are asked in order, until one decides. An operand that has no
//     answer, while the event lacks something that it refers to, is not true. A
//     field or list element is lacking also where something on the way to it is
//     null. To ask for it, compare it with _|_: context.data.spec != _|_. An
//     operand that has no answer for another reason is an error: "a" < 1, 1 / 0,
//     and also "a" == 1, because CUE compares only values of one kind.
//   - Constraints on context match where the event unifies with them and they
//     add nothing to it: each field that they name must be in the event, but for
//     those that are optional (name?: …) or have a default (name: *1 | int).
//
// An expression that holds nothing, or only comments, matches everything.
func Compile(expr string, t event.TriggerRef) (filter Filter, found diag.List) {
	defer func() {
		if p := recover(); p != nil {
			filter, found = nil, diag.List{{Message: fmt.Sprintf("cannot be compiled: %v", p)}}
		}
	}()
	s, found := Parse(expr)
	if s == nil {
		return nil, found
	}
	wrong, err := check(s)
	if err != nil {
		return nil, append(found, diag.Diagnostic{Message: err.Error()})
	}
	found = append(found, wrong...)
	found = append(found, vet(expr)...)
	if len(found) > 0 {
		return nil, sortByPosition(found)
	}
	if len(s.Conditions) == 0 && len(s.Constraints) == 0 {
		return matchAll{}, nil
	}
	f, err := newFilter(s, t)
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	return f, nil
}

// vet returns the problems that CUE finds before there is any event.
func vet(expr string) diag.List {
	s, found := Parse(expr)
	if len(found) > 0 {
		return nil
	}
	ctx := cuecontext.New()
	v := ctx.BuildFile(s.named())
	err := v.Validate()
	if err == nil {
		err = v.FillPath(contextPath(), ctx.CompileString(event.Schema, cue.Filename("schema"))).Validate()
	}
	if err != nil {
		return cueDiagnostics(err, s)
	}
	return nil
}

// named turns s into a file whose conditions are fields, and returns it.
func (s *Expression) named() *ast.File {
	if len(s.Constraints) > 0 {
		return s.file
	}
	s.file.Decls = slices.DeleteFunc(s.file.Decls, func(d ast.Decl) bool {
		_, condition := d.(*ast.EmbedDecl)
		return condition
	})
	for _, x := range s.Conditions {
		s.file.Decls = append(s.file.Decls, &ast.Field{Label: ast.NewString("condition"), Value: x})
	}
	s.file.Decls = append(s.file.Decls, &ast.Field{Label: ast.NewIdent("context"), Value: ast.NewIdent("_")})
	return s.file
}

// newFilter returns the filter that s is.
func newFilter(s *Expression, t event.TriggerRef) (Filter, error) {
	if len(s.Constraints) > 0 {
		c := &constraintFilter{trigger: t, fields: expr.Dependencies("context", s.file)}
		c.shape, c.complete = newShape(s)
		for _, f := range s.Constraints {
			c.references = append(c.references, s.References(f.Value)...)
		}
		m, err := newEvaluatorPool(s.text)
		c.pool = m
		return c, err
	}
	var leaves []*leaf
	x := &conditionFilter{trigger: t, fields: expr.Dependencies("context", s.file), condition: s.newCondition(s.Conditions[0], &leaves)}
	var programs []string
	for i, l := range leaves {
		own, found := Parse(s.text)
		if err := found.Err(); err != nil {
			return nil, err
		}
		p, err := own.isolate(i)
		if err != nil {
			return nil, err
		}
		l.program = p
		programs = append(programs, p.Text)
	}
	m, err := newEvaluatorPool(programs...)
	x.pool = m
	return x, err
}

// conditionFilter is a filter that is a boolean expression.
type conditionFilter struct {
	trigger   event.TriggerRef
	fields    expr.FieldSet
	pool      *evaluatorPool
	condition condition
}

func (x *conditionFilter) Match(ctx context.Context, ev event.Event) (v Verdict, err error) {
	e := &evaluation{ctx: ctx, pool: x.pool, context: eventContext(ev, x.trigger)}
	defer e.release(&err)
	o, err := x.condition.evaluate(e)
	if err != nil {
		return Verdict{}, err
	}
	return o.Verdict, nil
}

// Context returns the fields of `context` that the verdict can depend on.
func (x *conditionFilter) Context() expr.FieldSet { return x.fields }

type matchAll struct{}

// Context returns the fields of `context` that the verdict can depend on.
func (matchAll) Context() expr.FieldSet { return expr.FieldSet{} }

func (matchAll) Match(context.Context, event.Event) (Verdict, error) {
	return Verdict{Match: true}, nil
}
