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

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/problem"
	"github.com/kubevela/kube-trigger/pkg/projection"
)

// DefaultEvaluators is how many compiled copies of a template an action keeps
// for concurrent runs. More are compiled when needed, and not kept.
const DefaultEvaluators = 4

// Options are what an action needs besides its template.
type Options struct {
	// Trigger is what the template sees as `context.trigger`.
	Trigger event.Trigger
	// Properties are the user's values for the template's `parameter`.
	Properties map[string]any
	// Executor executes the provider calls.
	Executor provider.Executor
	// Evaluators is DefaultEvaluators where 0.
	Evaluators int
}

// Compile makes an action of the template. The paths in the problems are
// relative to the properties.
func (t *Template) Compile(o Options) (Action, problem.List) {
	if list := t.parameter.Check(o.Properties); len(list) > 0 {
		return nil, list
	}
	if o.Evaluators == 0 {
		o.Evaluators = DefaultEvaluators
	}
	r := &runner{template: t, options: o, free: make(chan cue.Value, o.Evaluators)}
	base, err := r.compile()
	if err != nil {
		return nil, problems(err)
	}
	r.free <- base
	return r, nil
}

// runner is an Action. CUE values are not safe for concurrent use, so each run
// borrows a compiled copy of the template from free.
type runner struct {
	template *Template
	options  Options
	free     chan cue.Value
}

// Context returns the fields of `context` that the action can depend on.
func (r *runner) Context() projection.Projection { return r.template.context }

// compile returns the template with its parameter, ready for a context. All of
// it lives in a CUE context of its own.
func (r *runner) compile() (cue.Value, error) {
	base, err := r.template.build(cuecontext.New(), "_")
	if err != nil {
		return base, err
	}
	data, err := json.Marshal(r.options.Properties)
	if err != nil {
		return base, err
	}
	if r.options.Properties == nil {
		data = []byte("{}")
	}
	// Compiled from JSON, so that whole numbers are integers.
	parameter := base.Context().CompileBytes(data, cue.Filename("properties"))
	base = base.FillPath(cue.ParsePath("parameter"), parameter)
	if err := base.LookupPath(cue.ParsePath("parameter")).Validate(); err != nil {
		return base, err
	}
	return base, nil
}

// Run renders the template with ev and executes its calls. Where an object was
// changed by somebody else between being read and being written, the template is
// rendered again at once, up to conflictRounds times.
func (r *runner) Run(ctx context.Context, ev event.Event) error {
	journal := journalFrom(ctx)
	for round := 0; ; round++ {
		err := r.once(ctx, ev, journal)
		if !isConflict(err) || round == conflictRounds {
			return classify(err)
		}
		if err := pause(ctx, round); err != nil {
			return err
		}
	}
}

func (r *runner) once(ctx context.Context, ev event.Event, journal *Journal) (err error) {
	base, err := r.borrow()
	if err != nil {
		return Terminal(err)
	}
	defer r.giveBack(base)
	defer func() {
		if p := recover(); p != nil {
			err = Terminal(fmt.Errorf("template %q panicked while it was evaluated", r.template.name))
		}
	}()
	data := r.template.context.Pick(ev.Context(r.options.Trigger))
	run := &resolution{runner: r, journal: journal, root: fill(base, cue.ParsePath("context"), data), executed: map[string]bool{}}
	return run.resolve(ctx)
}

// fill returns v with data at path. A null of data stays null; to CUE's own
// conversion it is anything.
func fill(v cue.Value, path cue.Path, data map[string]any) cue.Value {
	return v.FillPath(path, v.Context().Encode(data, cue.NilIsAny(false)))
}

func (r *runner) borrow() (cue.Value, error) {
	select {
	case base := <-r.free:
		return base, nil
	default:
		return r.compile()
	}
}

func (r *runner) giveBack(base cue.Value) {
	select {
	case r.free <- base:
	default:
	}
}
