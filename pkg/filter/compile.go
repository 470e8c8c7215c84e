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
	"errors"
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// Compile compiles text into a filter of the trigger t. It returns no filter where it
// returns diagnostics; those have the line and column in text.
//
// text is CUE in one of two forms. Both may import CUE's standard library, and
// declare let clauses, hidden fields and definitions:
//
//   - A boolean expression matches where it is true. The operands of && and || are
//     evaluated in order, until the result is known. An operand that cannot be evaluated
//     for an event, such as one that refers to a field that the event lacks, is not true,
//     and neither is its negation. Null is absent, except in a comparison with null.
//     Values of different kinds are not equal. A comparison with _|_ tests for presence:
//     context.data.spec != _|_. Match returns an error only for what fails with every
//     event.
//   - Constraints on context match where they unify with the event without adding a
//     field to it. The event has to have each field that they name, except optional
//     ones (name?: …) and those with a default (name: *1 | int).
//
// A text that is empty, or holds only comments, matches every event.
func Compile(text string, t event.Trigger) (filter Filter, list diag.List) {
	var panicked error
	func() {
		defer panicerr.Recover(&panicked)
		filter, list = compile(text, t)
	}()
	if panicked != nil {
		return nil, diag.List{{Message: fmt.Sprintf("cannot be compiled: %v", panicked)}}
	}
	return filter, list
}

// Check returns what is valid in text, which Compile has compiled, and probably not
// meant of events of a form. The findings have the line and column in text.
func Check(text string, form event.Form) expr.Findings { return expr.CheckCondition(text, form) }

// CheckGroup is Check for a text that CompileGroup has compiled.
func CheckGroup(text string, form event.Form) expr.Findings { return expr.Check(text, form) }

func compile(text string, t event.Trigger) (Filter, diag.List) {
	e, list := expr.Parse(text)
	if len(list) > 0 {
		return nil, list
	}
	if e.Condition == nil && len(e.Constraints) == 0 {
		return matchAll{}, nil
	}
	f, err := newFilter(e, t)
	if err != nil {
		return nil, diag.List{{Message: err.Error()}}
	}
	return f, nil
}

func newFilter(e *expr.Expression, t event.Trigger) (Filter, error) {
	if len(e.Constraints) > 0 {
		return newConstraintFilter(e, t)
	}
	return newConditionFilter(e, t)
}

// conditionFilter is a filter with a boolean expression.
type conditionFilter struct {
	trigger   event.Trigger
	fields    expr.FieldSet
	pool      *evaluatorPool
	condition condition
	leaves    []*leaf
	byCUE     diag.List
}

func newConditionFilter(e *expr.Expression, t event.Trigger) (*conditionFilter, error) {
	var leaves []*leaf
	f := &conditionFilter{trigger: t, fields: e.ContextFields(), condition: newCondition(e, e.Condition, &leaves)}
	programs, err := e.Programs()
	if err != nil {
		return nil, err
	}
	f.leaves = leaves
	var texts []string
	for i, p := range programs {
		leaves[i].program = p
		var left *closure.UnsupportedError
		if leaves[i].compiled, left, err = compileProgram(p); err != nil {
			return nil, err
		}
		for _, d := range byCUE(left) {
			d.Line, d.Column = leaves[i].line, leaves[i].column
			f.byCUE = append(f.byCUE, d)
		}
		texts = append(texts, p.Text)
	}
	pool, err := newEvaluatorPool(len(f.byCUE) > 0, texts...)
	f.pool = pool
	return f, err
}

// compileProgram compiles p into closures. It returns what prevents that where CUE has to
// evaluate p.
func compileProgram(p expr.Program) (*closure.Program, *closure.UnsupportedError, error) {
	compiled, err := p.Compile()
	var left *closure.UnsupportedError
	if errors.As(err, &left) {
		return nil, left, nil
	}
	return compiled, nil, err
}

// byCUE returns left as a diagnostic; nil for nil.
func byCUE(left *closure.UnsupportedError) diag.List {
	if left == nil {
		return nil
	}
	return diag.List{{Line: left.Pos.Line(), Column: left.Pos.Column(), Message: left.Error()}}
}

// ByCUE implements Filter.
func (f *conditionFilter) ByCUE() diag.List { return f.byCUE }

// Match implements Filter.
func (f *conditionFilter) Match(ctx context.Context, ev event.Event) (v event.Verdict, err error) {
	e := f.pool.begin(ctx, ev, f.trigger)
	defer e.release(&err)
	defer panicerr.Recover(&err)
	o, err := f.condition.evaluate(e)
	if err != nil {
		return event.Verdict{}, err
	}
	return o.Verdict, nil
}

// Screen returns what Match returns, with excluded, if the first operands of && tell it already and are
// comparisons of a field with a text, or tests for presence. It costs a small fraction of Match,
// and does not block. Otherwise only Match tells.
func (f *conditionFilter) Screen(ev event.Event) (v event.Verdict, excluded bool) {
	parts, ok := f.condition.(conjunction)
	if !ok {
		parts = conjunction{f.condition}
	}
	for _, part := range parts {
		l, ok := part.(*leaf)
		if !ok || !l.isScreen {
			return event.Verdict{}, false
		}
		holds, known := l.screen.Evaluate(ev.Data)
		if !known {
			return event.Verdict{}, false
		}
		if !holds {
			return l.isFalse, true
		}
	}
	return event.Verdict{}, false
}

// ContextFields returns the fields of `context` that the verdict depends on.
func (f *conditionFilter) ContextFields() expr.FieldSet { return f.fields }

// matchAll is a filter that matches every event.
type matchAll struct{}

// Match implements Filter.
func (matchAll) Match(context.Context, event.Event) (event.Verdict, error) {
	return event.Verdict{Match: true}, nil
}

// ByCUE implements Filter.
func (matchAll) ByCUE() diag.List { return nil }

// ContextFields returns the fields of `context` that the verdict depends on.
func (matchAll) ContextFields() expr.FieldSet { return expr.FieldSet{} }
