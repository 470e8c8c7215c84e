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
	"strconv"

	"cuelang.org/go/cue"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// Group is an expression that names the group of an event. It is safe for concurrent
// use.
type Group struct {
	trigger event.Trigger
	fields  expr.FieldSet
	pool    *evaluatorPool
	leaf    leaf
}

// CompileGroup compiles text, one CUE expression over context whose value is a string or a
// number. It returns no group where it returns diagnostics.
func CompileGroup(text string, t event.Trigger) (group *Group, list diag.List) {
	var panicked error
	func() {
		defer panicerr.Recover(&panicked)
		group, list = compileGroup(text, t)
	}()
	if panicked != nil {
		return nil, diag.List{{Message: fmt.Sprintf("cannot be compiled: %v", panicked)}}
	}
	return group, list
}

func compileGroup(text string, t event.Trigger) (*Group, diag.List) {
	e, list := expr.ParseString(text)
	if len(list) > 0 {
		return nil, list
	}
	programs, err := e.Programs()
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	compiled, left, err := compileProgram(programs[0])
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	pool, err := newEvaluatorPool(left != nil, programs[0].Text)
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	x := e.Conditions[0]
	return &Group{trigger: t, fields: e.ContextFields(), pool: pool, leaf: leaf{
		source: expr.Excerpt(x), line: x.Pos().Line(), column: x.Pos().Column(),
		references: e.References(x), program: programs[0], compiled: compiled,
	}}, nil
}

// ContextFields returns the fields of `context` that the group depends on.
func (g *Group) ContextFields() expr.FieldSet { return g.fields }

// Group returns the group of ev. ok is false if the event lacks a field that the
// expression needs. The name of a number is its text. The error of an
// expression with another value holds no value of the event.
func (g *Group) Group(ctx context.Context, ev event.Event) (name string, ok bool, err error) {
	e := g.pool.begin(ctx, ev, g.trigger)
	defer e.release(&err)
	defer panicerr.Recover(&err)
	if name, ok, known := g.compiled(e); known {
		return name, ok, nil
	}
	v, err := e.evaluate(0, g.leaf.program.Select(&e.view))
	if err != nil {
		return "", false, err
	}
	v = v.LookupPath(expr.ResultPath())
	if v.Err() != nil {
		_, err := g.leaf.undefined(e, v)
		return "", false, err
	}
	v, _ = v.Default()
	switch kind := v.IncompleteKind(); {
	case kind&^(cue.StringKind|cue.NumberKind|cue.NullKind) != 0:
		return "", false, g.leaf.errorf("not a string or a number")
	case !v.IsConcrete(), kind == cue.NullKind:
		return "", false, nil
	case kind != cue.StringKind:
		text, err := v.MarshalJSON()
		return string(text), err == nil, err
	}
	name, err = v.String()
	return name, err == nil, err
}

// compiled returns the group without CUE. known is false where only CUE can tell.
func (g *Group) compiled(e *evaluation) (name string, ok, known bool) {
	if g.leaf.compiled == nil {
		return "", false, false
	}
	v, status := g.leaf.compiled.Evaluate(&e.view, expr.ProgramResult)
	if status == closure.Absent {
		_, lacks := g.leaf.lacking(e)
		return "", false, lacks
	}
	switch v := v.(type) {
	case string:
		return v, true, true
	case int64:
		return strconv.FormatInt(v, 10), true, true
	}
	return "", false, false
}
