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
	"cuelang.org/go/cue/errors"

	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/expr/closure"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// constraintFilter is a filter with constraints on context.
type constraintFilter struct {
	trigger event.Trigger
	pool    *evaluatorPool
	fields  expr.FieldSet
	shape   *expr.Shape
	// left is what the shape leaves to CUE; nil where it decides on its own which events match.
	left *closure.UnsupportedError
	// references are the paths below context that the constraints refer to.
	references []expr.Reference
}

func newConstraintFilter(e *expr.Expression, t event.Trigger) (*constraintFilter, error) {
	f := &constraintFilter{trigger: t, fields: e.ContextFields()}
	f.shape, f.left = e.Shape()
	for _, c := range e.Constraints {
		f.references = append(f.references, e.References(c.Value)...)
	}
	pool, err := newEvaluatorPool(f.left != nil, e.Text())
	f.pool = pool
	return f, err
}

// ContextFields returns the fields of `context` that the verdict depends on.
func (f *constraintFilter) ContextFields() expr.FieldSet { return f.fields }

// ByCUE implements Filter.
func (f *constraintFilter) ByCUE() diag.List { return byCUE(f.left) }

// Match implements Filter.
func (f *constraintFilter) Match(ctx context.Context, ev event.Event) (v event.Verdict, err error) {
	e := f.pool.begin(ctx, ev, f.trigger)
	defer e.release(&err)
	defer panicerr.Recover(&err)
	if m, fits, ok := f.shape.MatchContext(&e.view); ok && (f.left == nil || !fits) {
		return event.Verdict{Match: fits, Path: m.Path, Reason: m.Reason}, nil
	}
	all, err := e.evaluate(0, map[string]any{"context": f.fields.Select(e.view.Whole())})
	if err != nil {
		return event.Verdict{}, err
	}
	result := all.LookupPath(expr.ContextPath())
	if err := result.Validate(cue.Concrete(true)); err != nil {
		return f.mismatch(e, err)
	}
	if f.left != nil {
		if path, ok := addedField(result, e.view.Whole(), f.shape, nil); ok {
			return reject(f.shape.Deepest(path).Missing(&e.view)), nil
		}
	}
	return event.Verdict{Match: true}, nil
}

// mismatch returns the verdict for an event that does not unify with the
// constraints, or leaves them incomplete. Conflicts take precedence over failed
// evaluations, and those over absent fields.
func (f *constraintFilter) mismatch(e *evaluation, err error) (event.Verdict, error) {
	all := errors.Errors(err)
	for _, e := range all {
		if expr.EvaluationFailure(e) == "" && !expr.IsIncomplete(e) {
			return reject(f.shape.OffendingConstraint(e).Mismatch()), nil
		}
	}
	for _, e := range all {
		reason := expr.EvaluationFailure(e)
		if reason == "" || expr.IsIncomplete(e) {
			continue
		}
		path := f.shape.OffendingConstraint(e).Path.String()
		if reason == expr.ReferenceCycle {
			return event.Verdict{}, fmt.Errorf("%s: %s", path, reason)
		}
		return event.Verdict{Path: path, Reason: path + " cannot be evaluated: " + reason}, nil
	}
	for _, r := range f.references {
		if _, p := r.Lookup(&e.view); p == expr.Absent {
			return reject(r.Missing(&e.view)), nil
		}
	}
	return reject(f.shape.OffendingConstraint(all[0]).Missing(&e.view)), nil
}

// addedField returns the path of the first field of v that data lacks and that is
// not a default. s is the shape of v, or nil.
func addedField(v cue.Value, data any, s *expr.Shape, path []string) ([]string, bool) {
	switch data := data.(type) {
	case map[string]any:
		it, err := v.Fields()
		for err == nil && it.Next() {
			name := it.Selector().Unquoted()
			path := append(slices.Clip(path), name)
			field := s.Field(name)
			value, has := data[name]
			if !has {
				if isDefault(it.Value(), field) {
					continue
				}
				return path, true
			}
			if path, ok := addedField(it.Value(), value, field, path); ok {
				return path, true
			}
		}
	case []any:
		it, err := v.List()
		for i := 0; err == nil && i < len(data) && it.Next(); i++ {
			if path, ok := addedField(it.Value(), data[i], nil, append(slices.Clip(path), "[]")); ok {
				return path, true
			}
		}
	}
	return nil, false
}

// isDefault reports whether v is a default. CUE also takes the empty list for the
// default of [...int].
func isDefault(v cue.Value, s *expr.Shape) bool {
	if s != nil {
		return s.HasDefault()
	}
	_, ok := v.Default()
	return ok && v.Kind() != cue.ListKind
}
