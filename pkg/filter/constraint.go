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

// constraints is a filter that declares what context has to be.
type constraints struct {
	trigger event.Trigger
	machine *machine
	fields  expr.Projection
	shape   *shape
	simple  bool
	// references are the paths that the constraints take values from.
	references []reference
}

// Context returns the fields of `context` that the verdict can depend on.
func (c *constraints) Context() expr.Projection { return c.fields }

// Match says yes where the event unifies with the constraints, and they add
// nothing to it that it did not hold.
func (c *constraints) Match(ctx context.Context, ev event.Event) (v Verdict, err error) {
	e := &evaluation{ctx: ctx, machine: c.machine, context: contextOf(ev, c.trigger)}
	if v, sure := c.shape.quick(e.context); sure && (c.simple || !v.Match) {
		return v, nil
	}
	defer e.close(&err)
	all, err := e.result(0, map[string]any{"context": c.fields.Pick(e.context)})
	if err != nil {
		return Verdict{}, err
	}
	result := all.LookupPath(contextPath())
	if err := result.Validate(cue.Concrete(true)); err != nil {
		return c.against(e, err)
	}
	if !c.simple {
		if path, added := surplus(result, e.context, c.shape, nil); added {
			return c.shape.deepest(path).lacking(e.context), nil
		}
	}
	return Verdict{Match: true}, nil
}

// against returns the verdict on an event that CUE found to be against the
// constraints, or incomplete. What contradicts them decides before what cannot
// be evaluated, and that before what is missing.
func (c *constraints) against(e *evaluation, err error) (Verdict, error) {
	all := errors.Errors(err)
	for _, e := range all {
		if broken(e) == "" && !incomplete(e) {
			return c.culprit(e).misfit(), nil
		}
	}
	for _, e := range all {
		if what := broken(e); what != "" && !incomplete(e) {
			n := c.culprit(e)
			return Verdict{}, fmt.Errorf("%s: %s", n.at, what)
		}
	}
	for _, r := range c.references {
		if _, p := r.in(e.context); p == absent {
			return missing(r.String()), nil
		}
	}
	return c.culprit(all[0]).lacking(e.context), nil
}

// culprit returns the shape that e is about. It knows only names that stand in
// the text, none that the event brought.
func (c *constraints) culprit(e errors.Error) *shape {
	best := c.shape.deepest(fields(e.Path()))
	for _, pos := range errors.Positions(e) {
		if pos.Filename() != fileName {
			continue
		}
		if n := c.shape.around(pos.Offset()); n != nil && len(n.at.steps) > len(best.at.steps) {
			best = n
		}
	}
	return best
}

// fields returns the path below context that a path of CUE is.
func fields(path []string) []string {
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

// surplus returns the path of the first field of v that data lacks, other than
// by a default; n is what is known of v, or nil.
func surplus(v cue.Value, data any, n *shape, at []string) ([]string, bool) {
	switch data := data.(type) {
	case map[string]any:
		it, err := v.Fields()
		for err == nil && it.Next() {
			name := it.Selector().Unquoted()
			path := append(slices.Clip(at), name)
			field := n.field(name)
			value, has := data[name]
			if !has {
				if byDefault(it.Value(), field) {
					continue
				}
				return path, true
			}
			if path, added := surplus(it.Value(), value, field, path); added {
				return path, true
			}
		}
	case []any:
		it, err := v.List()
		for i := 0; err == nil && i < len(data) && it.Next(); i++ {
			if path, added := surplus(it.Value(), data[i], nil, append(slices.Clip(at), "[]")); added {
				return path, true
			}
		}
	}
	return nil, false
}

// byDefault reports whether v is a default. To CUE, so is the empty list that
// [...int] allows.
func byDefault(v cue.Value, n *shape) bool {
	if n != nil {
		return n.defaulted
	}
	_, ok := v.Default()
	return ok && v.Kind() != cue.ListKind
}

// contextOf returns what the filter of t sees of ev.
func contextOf(ev event.Event, t event.Trigger) map[string]any {
	c := ev.Context(t)
	if ev.Data == nil {
		c["data"] = map[string]any{}
	}
	return c
}
