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
	"cuelang.org/go/cue/literal"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// constraintFilter is a filter that declares what context has to be.
type constraintFilter struct {
	trigger  event.TriggerRef
	pool     *evaluatorPool
	fields   expr.FieldSet
	shape    *Shape
	complete bool
	// references are the paths that the constraints take values from.
	references []Reference
}

// Context returns the fields of `context` that the verdict can depend on.
func (c *constraintFilter) Context() expr.FieldSet { return c.fields }

// Match says yes where the event unifies with the constraints, and they add
// nothing to it that it did not hold.
func (c *constraintFilter) Match(ctx context.Context, ev event.Event) (v Verdict, err error) {
	e := &evaluation{ctx: ctx, pool: c.pool, context: eventContext(ev, c.trigger)}
	if v, sure := c.shape.Match(e.context); sure && (c.complete || !v.Match) {
		return v, nil
	}
	defer e.release(&err)
	all, err := e.evaluate(0, map[string]any{"context": c.fields.Select(e.context)})
	if err != nil {
		return Verdict{}, err
	}
	result := all.LookupPath(contextPath())
	if err := result.Validate(cue.Concrete(true)); err != nil {
		return c.reject(e, err)
	}
	if !c.complete {
		if path, added := addedField(result, e.context, c.shape, nil); added {
			return c.shape.Deepest(path).Missing(e.context), nil
		}
	}
	return Verdict{Match: true}, nil
}

// reject returns the verdict on an event that CUE found to be against the
// constraints, or incomplete. What contradicts them decides before what cannot
// be evaluated, and that before what is missing.
func (c *constraintFilter) reject(e *evaluation, err error) (Verdict, error) {
	all := errors.Errors(err)
	for _, e := range all {
		if EvaluationFailure(e) == "" && !IsIncomplete(e) {
			return c.offendingConstraint(e).Mismatch(), nil
		}
	}
	for _, e := range all {
		if what := EvaluationFailure(e); what != "" && !IsIncomplete(e) {
			n := c.offendingConstraint(e)
			return Verdict{}, fmt.Errorf("%s: %s", n.Path, what)
		}
	}
	for _, r := range c.references {
		if _, p := r.Lookup(e.context); p == Absent {
			return Missing(r.String()), nil
		}
	}
	return c.offendingConstraint(all[0]).Missing(e.context), nil
}

// offendingConstraint returns the shape that e is about. It knows only names that stand in
// the text, none that the event brought.
func (c *constraintFilter) offendingConstraint(e errors.Error) *Shape {
	best := c.shape.Deepest(contextFields(e.Path()))
	for _, pos := range errors.Positions(e) {
		if pos.Filename() != Filename {
			continue
		}
		if n := c.shape.enclosing(pos.Offset()); n != nil && len(n.Path.steps) > len(best.Path.steps) {
			best = n
		}
	}
	return best
}

// contextFields returns the path below context that a path of CUE is.
func contextFields(path []string) []string {
	var out []string
	for i, name := range path {
		if i == 0 && name == "context" {
			continue
		}
		if unquoted, err := literal.Unquote(name); err == nil {
			name = unquoted
		}
		out = append(out, name)
	}
	return out
}

// addedField returns the path of the first field of v that data lacks, other than
// by a default; n is what is known of v, or nil.
func addedField(v cue.Value, data any, n *Shape, at []string) ([]string, bool) {
	switch data := data.(type) {
	case map[string]any:
		it, err := v.Fields()
		for err == nil && it.Next() {
			name := it.Selector().Unquoted()
			path := append(slices.Clip(at), name)
			field := n.Field(name)
			value, has := data[name]
			if !has {
				if isDefault(it.Value(), field) {
					continue
				}
				return path, true
			}
			if path, added := addedField(it.Value(), value, field, path); added {
				return path, true
			}
		}
	case []any:
		it, err := v.List()
		for i := 0; err == nil && i < len(data) && it.Next(); i++ {
			if path, added := addedField(it.Value(), data[i], nil, append(slices.Clip(at), "[]")); added {
				return path, true
			}
		}
	}
	return nil, false
}

// isDefault reports whether v is a default. To CUE, so is the empty list that
// [...int] allows.
func isDefault(v cue.Value, n *Shape) bool {
	if n != nil {
		return n.hasDefault
	}
	_, ok := v.Default()
	return ok && v.Kind() != cue.ListKind
}

// eventContext returns what the filter of t sees of ev.
func eventContext(ev event.Event, t event.TriggerRef) map[string]any {
	c := ev.Context(t)
	if ev.Data == nil {
		c["data"] = map[string]any{}
	}
	return c
}
