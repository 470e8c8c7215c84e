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

package action

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/format"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// DefaultEvaluators is how many compiled copies of a template an action keeps
// for concurrent runs. More are compiled when needed, and not kept.
const DefaultEvaluators = 4

// Options are what an action needs besides its template.
type Options struct {
	// Trigger is what the template sees as `context.trigger`.
	Trigger event.TriggerRef
	// Properties are the user's values for the template's `parameter`.
	Properties map[string]any
	// Executor executes the provider calls.
	Executor provider.Executor
	// Evaluators is DefaultEvaluators where 0.
	Evaluators int
	// EvaluateResult has the action give its result, where it has one.
	EvaluateResult bool
}

// Compile makes an action of the template. The paths in the problems are
// relative to the properties.
func (t *Template) Compile(o Options) (Action, diag.List) {
	if list := slices.Concat(t.parameter.Check(o.Properties), t.checkGoTemplates(o.Properties), t.checkViews(o.Properties)); len(list) > 0 {
		return nil, list
	}
	if o.EvaluateResult && t.withResult != nil {
		t = t.withResult
	}
	if o.Evaluators == 0 {
		o.Evaluators = DefaultEvaluators
	}
	r := &runner{template: t, options: o, pool: make(chan []cue.Value, o.Evaluators)}
	if err := r.evaluateParameter(); err != nil {
		return nil, diagnostics(err)
	}
	bases, err := r.compileStages()
	if err != nil {
		return nil, diagnostics(err)
	}
	r.pool <- bases
	return r, nil
}

// runner is an Action. CUE values are not safe for concurrent use, so each run
// borrows a compiled copy of the template's stages from free.
type runner struct {
	template *Template
	options  Options
	pool     chan []cue.Value
	// properties are the user's, as JSON; parameter is CUE for what they have
	// become, and empty where that depends on the event.
	properties []byte
	parameter  string
}

// Context returns the fields of `context` that the action can depend on.
func (r *runner) Context() expr.FieldSet { return r.template.context }

// evaluateParameter notes what the properties have become, where they are known by now.
func (r *runner) evaluateParameter() error {
	properties := []byte("{}")
	if r.options.Properties != nil {
		var err error
		if properties, err = json.Marshal(r.options.Properties); err != nil {
			return err
		}
	}
	r.properties = properties
	known, err := r.buildStage(cuecontext.New(), Stage{Declarations: r.template.parameterDecls})
	if err != nil {
		return err
	}
	r.parameter = constant(known.LookupPath(cue.ParsePath("parameter")))
	return nil
}

// compileStages returns the template's stages with its parameter, ready for a context.
// All of them live in a CUE context of their own.
func (r *runner) compileStages() ([]cue.Value, error) {
	ctx := cuecontext.New()
	var bases []cue.Value
	for _, s := range r.template.stages {
		base, err := r.buildStage(ctx, s)
		if err != nil {
			return nil, err
		}
		bases = append(bases, base)
	}
	return bases, nil
}

// buildStage returns what the stage takes of the template, with the parameter.
func (r *runner) buildStage(ctx *cue.Context, s Stage) (cue.Value, error) {
	base, err := r.template.build(ctx, buildOptions{stage: s, parameter: r.parameter})
	if err != nil || r.parameter != "" {
		return base, err
	}
	// Compiled from JSON, so that whole numbers are integers.
	properties := ctx.CompileBytes(r.properties, cue.Filename("properties"))
	base = base.FillPath(cue.ParsePath("parameter"), properties)
	return base, base.LookupPath(cue.ParsePath("parameter")).Validate()
}

// constant returns v as CUE, where that says all that v does, and the same for
// every event: then no schema has to be evaluated with each.
func constant(v cue.Value) string {
	if v.Validate(cue.Concrete(true)) != nil || hasHiddenFields(v) {
		return ""
	}
	text, err := format.Node(v.Syntax(cue.Final()))
	if err != nil {
		return ""
	}
	return string(text)
}

// hasHiddenFields reports whether v has fields that are no data.
func hasHiddenFields(v cue.Value) bool {
	found := false
	v.Walk(func(v cue.Value) bool {
		it, err := v.Fields(cue.Hidden(true), cue.Definitions(true))
		for err == nil && it.Next() {
			found = found || it.Selector().LabelType() != cue.StringLabel
		}
		return !found
	}, nil)
	return found
}

// Run renders the template with ev and executes its calls. Where an object was
// changed by somebody else between being read and being written, the template is
// rendered again at once, up to conflictRounds times.
func (r *runner) Run(ctx context.Context, ev event.Event) error {
	_, err := r.runWithResults(ctx, ev, nil)
	return err
}

// runWithResults is Run after other actions, whose results are given. It returns its own.
func (r *runner) runWithResults(ctx context.Context, ev event.Event, results map[string]any) (any, error) {
	journal := journalFrom(ctx)
	for round := 0; ; round++ {
		result, err := r.attempt(ctx, ev, results, journal)
		if !isConflict(err) || round == maxConflictRetries {
			return result, classify(err)
		}
		if err := conflictBackoff(ctx, round); err != nil {
			return nil, err
		}
	}
}

func (r *runner) attempt(ctx context.Context, ev event.Event, results map[string]any, journal *Journal) (result any, err error) {
	bases, err := r.acquire()
	if err != nil {
		return nil, Terminal(err)
	}
	defer r.release(bases)
	defer func() {
		if p := recover(); p != nil {
			err = Terminal(fmt.Errorf("template %q panicked while it was evaluated", r.template.name))
		}
	}()
	given := ev.Context(r.options.Trigger)
	if results != nil {
		given[resultsField] = results
	}
	run := &resolution{runner: r, journal: journal, context: r.template.context.Select(given)}
	err = run.resolve(ctx, bases)
	return run.result, err
}

// fill returns v with data at path.
func (r *runner) fill(v cue.Value, path cue.Path, data map[string]any) cue.Value {
	d := expr.Encode(v.Context(), data, r.template.embedded)
	if len(path.Selectors()) == 0 {
		return v.Unify(d)
	}
	return v.FillPath(path, d)
}

func (r *runner) acquire() ([]cue.Value, error) {
	select {
	case bases := <-r.pool:
		return bases, nil
	default:
		return r.compileStages()
	}
}

func (r *runner) release(bases []cue.Value) {
	select {
	case r.pool <- bases:
	default:
	}
}
