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
	"strings"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// Result is what a part of a filter has evaluated to.
type Result string

// Results of parts.
const (
	True  Result = "true"
	False Result = "false"
	// Undefined: the part cannot be evaluated for the event, and is not true.
	Undefined Result = "undefined"
	// NotEvaluated: the parts before decide.
	NotEvaluated Result = "not evaluated"
)

// Part is a part of a filter, and what it has evaluated to for an event: an operand of && and
// ||, or a constraint on a value. A negation is part of its operand.
type Part struct {
	Source string `json:"source"`
	// Line and Column are the place in the text; 0 for a constraint.
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Result Result `json:"result"`
	// Reason is why it is undefined.
	Reason string `json:"reason,omitempty"`
	// Values are those that the part refers to, in the order of the text.
	Values []Value `json:"values,omitempty"`
}

// Value is a value that a part of a filter has seen. Unlike a verdict, it holds data of the
// event.
type Value struct {
	Path   string `json:"path"`
	Value  any    `json:"value"`
	Absent bool   `json:"absent,omitempty"`
}

// Explanation is the verdict on an event with its parts, in the order of evaluation.
type Explanation struct {
	event.Verdict
	Parts []Part
}

// Explain implements Filter.
func (matchAll) Explain(context.Context, event.Event) (Explanation, error) {
	return Explanation{Verdict: event.Verdict{Match: true}}, nil
}

// Explain implements Filter.
func (f *conditionFilter) Explain(ctx context.Context, ev event.Event) (x Explanation, err error) {
	e := f.pool.begin(ctx, ev, f.trigger)
	e.trace = map[*leaf]outcome{}
	defer e.release(&err)
	defer panicerr.Recover(&err)
	o, err := f.condition.evaluate(e)
	if err != nil {
		return x, err
	}
	x.Verdict = o.Verdict
	for _, l := range f.leaves {
		x.Parts = append(x.Parts, l.part(e))
	}
	return x, nil
}

// part returns the leaf as it was evaluated.
func (l *leaf) part(e *evaluation) Part {
	p := Part{Source: l.source, Line: l.line, Column: l.column}
	o, evaluated := e.trace[l]
	switch {
	case !evaluated:
		p.Result = NotEvaluated
		return p
	case o.Match:
		p.Result = True
	case o.undefined:
		p.Result, p.Reason = Undefined, o.Reason
	default:
		p.Result = False
	}
	for _, r := range l.references {
		v, presence := r.Lookup(&e.view)
		p.Values = append(p.Values, Value{Path: r.String(), Value: v, Absent: presence != expr.Present})
	}
	return p
}

// Explain implements Filter.
func (f *constraintFilter) Explain(ctx context.Context, ev event.Event) (x Explanation, err error) {
	if x.Verdict, err = f.Match(ctx, ev); err != nil {
		return x, err
	}
	view := event.NewView(ev, f.trigger)
	for _, r := range f.shape.Results(&view) {
		p := Part{Source: r.Path + ": " + r.Source, Values: []Value{{Path: r.Path, Value: r.Value, Absent: !r.Present}}}
		switch {
		case r.Unknown && !x.Match && x.Path != r.Path && !strings.HasPrefix(x.Path, r.Path+"."):
			p.Result = NotEvaluated
		case r.Unknown && x.Match, !r.Unknown && r.Fits:
			p.Result = True
		case !r.Present:
			p.Result, p.Reason = Undefined, r.Path+" is absent"
		default:
			p.Result = False
		}
		x.Parts = append(x.Parts, p)
	}
	return x, nil
}

// Substituted returns the source of p with its values in place of their paths, such as
// "2 == 3". It is "" of a constraint, or if a value is not written there as it is: a list or a
// struct.
func (p Part) Substituted(format func(value any) string) string {
	text := p.Source
	if p.Line == 0 || len(p.Values) == 0 {
		return ""
	}
	for _, v := range p.Values {
		switch v.Value.(type) {
		case map[string]any, []any:
			return ""
		}
		next := replacePath(text, v.Path, format(v.Value))
		if v.Absent || next == text {
			return ""
		}
		text = next
	}
	return text
}

// replacePath replaces a path in text where it does not go on.
func replacePath(text, path, by string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, path)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if after != "" && (after[0] == '.' || after[0] == '[' || after[0] == '_' || after[0] >= '0' && after[0] <= '9' || after[0] >= 'A' && after[0] <= 'Z' || after[0] >= 'a' && after[0] <= 'z') {
			b.WriteString(path) // a longer path
		} else {
			b.WriteString(by)
		}
		text = after
	}
}
