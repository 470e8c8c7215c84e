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
	"cmp"
	"fmt"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
)

// condition is a part of a boolean expression: a leaf, or parts joined by && or ||.
// The parts are evaluated in the order of the text until the result is known. A part
// that cannot be evaluated for the event is not true.
type condition interface {
	evaluate(e *evaluation) (outcome, error)
}

// outcome is the verdict of a part of a condition.
type outcome struct {
	event.Verdict
	// undefined is set where the part is not true because it cannot be evaluated for the
	// event: the event lacks a field, or has a value of another kind.
	undefined bool
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
	parts   []condition
	isFalse event.Verdict
}

func (d disjunction) evaluate(e *evaluation) (outcome, error) {
	var first outcome
	undefined := true
	for i, part := range d.parts {
		o, err := part.evaluate(e)
		if err != nil || o.Match {
			return o, err
		}
		if i == 0 {
			first = o
		}
		undefined = undefined && o.undefined
	}
	if undefined {
		return first, nil
	}
	return outcome{Verdict: d.isFalse}, nil
}

// leaf is a condition without && or || at its top.
type leaf struct {
	source     string
	line       int
	column     int
	references []expr.Reference
	program    expr.Program
	// isFalse is the verdict where it is false.
	isFalse event.Verdict
	// compiled is nil where CUE has to evaluate the leaf.
	compiled *closure.Program
	// screen is the leaf if isScreen is set.
	screen   expr.Screen
	isScreen bool
}

func (l *leaf) evaluate(e *evaluation) (outcome, error) {
	o, err := l.evaluateOnce(e)
	if e.trace != nil && err == nil {
		e.trace[l] = o
	}
	return o, err
}

func (l *leaf) evaluateOnce(e *evaluation) (outcome, error) {
	if l.compiled != nil {
		v, status := l.compiled.Evaluate(&e.view, expr.ProgramResult)
		if result, ok := v.(bool); ok && status == closure.Present {
			return l.outcome(result), nil
		}
		if status == closure.Absent {
			if o, ok := l.lacking(e); ok {
				return o, nil
			}
		}
	}
	v, err := e.evaluate(l.program.Index, l.program.Select(&e.view))
	if err != nil {
		return outcome{}, err
	}
	v = v.LookupPath(expr.ResultPath())
	if err := v.Err(); err != nil {
		return l.undefined(e, v)
	}
	result, err := v.Bool()
	if err != nil {
		return l.undefinedBecause("is not a boolean"), nil //nolint:nilerr // the event has another kind
	}
	return l.outcome(result), nil
}

// undefined returns the outcome for v, whose evaluation failed. The error is one that
// no event could mend.
func (l *leaf) undefined(e *evaluation, v cue.Value) (outcome, error) {
	if o, ok := l.lacking(e); ok {
		return o, nil
	}
	if incomplete := v.Validate() == nil; incomplete && l.program.Measures != "" {
		return l.undefinedBecause("cannot be evaluated: not " + l.program.Measures), nil
	} else if incomplete {
		return l.undefinedBecause("refers to an absent field"), nil
	}
	failure := ""
	for _, e := range errors.Errors(v.Err()) {
		failure = cmp.Or(failure, expr.EvaluationFailure(e))
	}
	switch failure {
	case expr.IndexOutOfRange:
		return l.undefinedBecause("refers to an absent element"), nil
	case expr.ReferenceCycle:
		return outcome{}, l.errorf("%s", failure)
	case "":
		return l.undefinedBecause("cannot be evaluated"), nil
	}
	return l.undefinedBecause("cannot be evaluated: " + failure), nil
}

func (l *leaf) undefinedBecause(reason string) outcome {
	return outcome{Verdict: event.Verdict{Path: l.isFalse.Path, Reason: l.source + " " + reason}, undefined: true}
}

// lacking returns the outcome for the first reference that is absent or null, or else that
// leads through a value of another type.
func (l *leaf) lacking(e *evaluation) (outcome, bool) {
	mismatch := false
	for _, r := range l.references {
		switch _, p := r.Lookup(&e.view); p {
		case expr.Absent:
			return outcome{undefined: true, Verdict: reject(r.Missing(&e.view))}, true
		case expr.TypeMismatch:
			mismatch = true
		}
	}
	if mismatch {
		return l.undefinedBecause("cannot be evaluated: operand has the wrong type"), true
	}
	return outcome{}, false
}

func (l *leaf) outcome(result bool) outcome {
	if result {
		return outcome{Verdict: event.Verdict{Match: true}}
	}
	return outcome{Verdict: l.isFalse}
}

func (l *leaf) errorf(format string, args ...any) error {
	return fmt.Errorf("%d:%d: %s: %s", l.line, l.column, l.source, fmt.Sprintf(format, args...))
}

// reject returns the verdict for a mismatch.
func reject(m expr.Mismatch) event.Verdict { return event.Verdict{Path: m.Path, Reason: m.Reason} }

// newCondition returns the condition for c, and appends its leaves to leaves, in the
// order in which Expression.Program counts them.
func newCondition(e *expr.Expression, c *expr.Condition, leaves *[]*leaf) condition {
	if len(c.Parts) > 0 {
		var parts []condition
		for _, part := range c.Parts {
			parts = append(parts, newCondition(e, part, leaves))
		}
		if c.Op == token.LAND {
			return conjunction(parts)
		}
		return disjunction{parts, event.Verdict{Reason: c.Source + " is false"}}
	}
	l := &leaf{
		source:     c.Source,
		line:       c.Line,
		column:     c.Column,
		references: e.References(c.Expr),
	}
	l.screen, l.isScreen = c.Screen()
	l.isFalse.Reason = l.source + " is false"
	if len(l.references) == 1 && !l.references[0].Computed {
		l.isFalse.Path = l.references[0].String()
	}
	*leaves = append(*leaves, l)
	return l
}
