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
	"fmt"
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// condition is a part of a boolean expression: a leaf, or parts joined by && or ||.
// The parts are evaluated in the order of the text until the result is known; an
// error in one of them is the error of the whole.
type condition interface {
	evaluate(e *evaluation) (outcome, error)
}

// outcome is the verdict of a part of a condition.
type outcome struct {
	event.Verdict
	// absent is set where the part is not true because the event lacks a field.
	absent bool
}

type conjunction []condition

func (c conjunction) evaluate(e *evaluation) (outcome, error) {
	for _, part := range c {
		if o, err := part.evaluate(e); err != nil || !o.Match {
			return o, err
		}
	}
	return outcome{Verdict: event.Verdict{Match: true}}, nil
}

type disjunction struct {
	parts  []condition
	source string
}

func (d disjunction) evaluate(e *evaluation) (outcome, error) {
	var first outcome
	allAbsent := true
	for i, part := range d.parts {
		o, err := part.evaluate(e)
		if err != nil || o.Match {
			return o, err
		}
		if i == 0 {
			first = o
		}
		allAbsent = allAbsent && o.absent
	}
	if allAbsent {
		return first, nil
	}
	return outcome{Verdict: event.Verdict{Reason: d.source + " is false"}}, nil
}

// leaf is a condition without && or || at its top.
type leaf struct {
	source     string
	line       int
	column     int
	references []expr.Reference
	program    expr.Program
	// strict is set where the leaf is not true if the event lacks one of references.
	strict bool
	// fastPath is nil where CUE has to evaluate the leaf.
	fastPath expr.FastPath
}

func (l *leaf) evaluate(e *evaluation) (outcome, error) {
	if l.strict {
		if o, ok := l.firstAbsent(e); ok {
			return o, nil
		}
	}
	if l.fastPath != nil {
		if result, ok := l.fastPath(e.context); ok {
			return l.outcome(result), nil
		}
	}
	v, err := e.evaluate(l.program.Index, l.program.Select(e.context))
	if err != nil {
		return outcome{}, err
	}
	v = v.LookupPath(expr.ResultPath())
	if err := v.Err(); err != nil {
		if o, ok := l.firstAbsent(e); ok {
			return o, nil
		}
		if l.typeMismatch(e) {
			return outcome{}, l.errorf("operand has the wrong type")
		}
		if incomplete := v.Validate() == nil; incomplete {
			return outcome{absent: true, Verdict: event.Verdict{Reason: l.source + " refers to an absent field"}}, nil
		}
		return outcome{}, l.evaluationError(err)
	}
	result, err := v.Bool()
	if err != nil {
		return outcome{}, l.errorf("not a boolean")
	}
	return l.outcome(result), nil
}

// firstAbsent returns the outcome for the first reference that the event lacks.
func (l *leaf) firstAbsent(e *evaluation) (outcome, bool) {
	for _, r := range l.references {
		if _, p := r.Lookup(e.context); p == expr.Absent {
			return outcome{absent: true, Verdict: reject(expr.Missing(r.String()))}, true
		}
	}
	return outcome{}, false
}

// typeMismatch reports whether a reference leads through a value of another type.
func (l *leaf) typeMismatch(e *evaluation) bool {
	return slices.ContainsFunc(l.references, func(r expr.Reference) bool {
		_, p := r.Lookup(e.context)
		return p == expr.TypeMismatch
	})
}

func (l *leaf) outcome(result bool) outcome {
	if result {
		return outcome{Verdict: event.Verdict{Match: true}}
	}
	v := event.Verdict{Reason: l.source + " is false"}
	if len(l.references) == 1 && !l.references[0].Computed {
		v.Path = l.references[0].String()
	}
	return outcome{Verdict: v}
}

// evaluationError returns the error for an error of CUE, without values of the event.
func (l *leaf) evaluationError(err error) error {
	for _, e := range errors.Errors(err) {
		if reason := expr.EvaluationFailure(e); reason != "" {
			return l.errorf("%s", reason)
		}
	}
	return l.errorf("cannot be evaluated")
}

func (l *leaf) errorf(format string, args ...any) error {
	return fmt.Errorf("%d:%d: %s: %s", l.line, l.column, l.source, fmt.Sprintf(format, args...))
}

// reject returns the verdict for a mismatch.
func reject(m expr.Mismatch) event.Verdict { return event.Verdict{Path: m.Path, Reason: m.Reason} }

// newCondition splits x at its && and ||, and appends its leaves to leaves, in the
// order in which Expression.Program counts them.
func newCondition(e *expr.Expression, x ast.Expr, leaves *[]*leaf) condition {
	switch x := x.(type) {
	case *ast.ParenExpr:
		return newCondition(e, x.X, leaves)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND:
			return conjunction{newCondition(e, x.X, leaves), newCondition(e, x.Y, leaves)}
		case token.LOR:
			parts := []condition{newCondition(e, x.X, leaves), newCondition(e, x.Y, leaves)}
			return disjunction{parts, expr.Excerpt(x)}
		}
	}
	l := &leaf{
		source:     expr.Excerpt(x),
		line:       x.Pos().Line(),
		column:     x.Pos().Column(),
		references: e.References(x),
		strict:     e.IsStrict(x),
		fastPath:   e.FastPath(x),
	}
	*leaves = append(*leaves, l)
	return l
}
