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
	"time"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
)

// DefaultEvaluators is the default number of copies of a template, compiled by CUE, that an
// action keeps for concurrent runs that need CUE. Additional copies are compiled on demand and
// discarded.
const DefaultEvaluators = 4

// Options configure an action or a view.
type Options struct {
	// Trigger is the value of `context.trigger`.
	Trigger event.Trigger
	// StepName is the value of `context.stepName` in a step of a workflow. Defaults to the
	// name of its definition.
	StepName string
	// Properties are the values of the template's `parameter`, and Computed those that
	// depend on the event; nil for none.
	Properties map[string]any
	Computed   *expr.Computed
	// Progress keeps what the action has done while it waits for a condition, which only steps
	// of workflows do; nil if a restart forgets it. WaitLimit is how long it may wait.
	Progress  Progress
	WaitLimit time.Duration
	// Executor executes the provider calls.
	Executor provider.Executor
	// Evaluators is the number of compiled copies to keep. Defaults to
	// DefaultEvaluators.
	Evaluators int
	// EvaluateResult makes the result of the action available to later actions of the
	// trigger, if the template has a result.
	EvaluateResult bool
	// Objectless is the type of the trigger's source if its events have no object; then
	// an action that needs one is refused. Empty if they have, or may have.
	Objectless string
	// CrashTracker records the evaluations. Optional.
	CrashTracker CrashTracker
	// Accepted is set if Compile has had no problems with equal options, in this process or in
	// another one: what only finds problems is left out.
	Accepted bool
}

// Compile returns the action of the template with o.Properties. The paths in the
// diagnostics are relative to the properties. CheckComputed checks o.Computed.
func (t *Template) Compile(o Options) (*Action, diag.List) {
	if list := t.checkProperties(o); len(list) > 0 {
		return nil, list
	}
	if o.EvaluateResult && t.withResult != nil {
		t = t.withResult
	}
	if o.Evaluators == 0 {
		o.Evaluators = DefaultEvaluators
	}
	r := &Action{template: t, options: o, pool: make(chan compiled, o.Evaluators)}
	if err := r.evaluateParameter(); err != nil {
		return nil, diagnostics(err)
	}
	trees, err := r.trees()
	if err != nil {
		return nil, diagnostics(err)
	}
	r.analyse(trees)
	if err := r.compileStages(trees); err != nil {
		return nil, diagnostics(err)
	}
	if o.Accepted && len(r.byCUE) == 0 {
		return r, nil
	}
	c, err := r.compile(trees)
	if err != nil {
		return nil, diagnostics(err)
	}
	if o.Objectless != "" {
		if list := r.checkObject(c); len(list) > 0 {
			return nil, list
		}
	}
	if len(r.byCUE) > 0 {
		r.pool <- c
	}
	return r, nil
}

// checkProperties returns what is wrong with the properties alone.
func (t *Template) checkProperties(o Options) diag.List {
	if o.Accepted {
		return nil
	}
	list := append(t.messages.Check(o.Properties), t.checkViews(o.Properties)...)
	if o.Computed == nil {
		list = append(t.parameter.Check(o.Properties), list...)
	}
	return list
}

// Action handles events. It is safe for concurrent use. CUE values are not: each run that
// needs CUE borrows its own compiled copy of the template's stages from pool.
type Action struct {
	template *Template
	options  Options
	pool     chan compiled
	// properties are the user's properties as JSON. parameter is the CUE of the
	// evaluated `parameter`, which refers to the outputs of messages. It is empty if it
	// depends on the event in another way.
	properties []byte
	parameter  string
	messages   []message
	// parsed are message templates of a parameter that depends on the event.
	parsed messageCache
	// parameterProgram completes a parameter that depends on the event; nil if CUE does, or
	// there is none.
	parameterProgram *parameterProgram
	// inputs are the inputs of each of the template's stages, and rendered those stages that
	// are compiled; nil for those that CUE evaluates.
	inputs   []inputs
	rendered []*rendering
	byCUE    diag.List
	// names replaces the names of fields in the data that CUE gets; nil if the template
	// depends on them.
	names *expr.Names
}

// compiled is a copy of the template's stages, in a CUE context of its own.
type compiled struct {
	stages []cue.Value
	// parameter and computed are set if the parameter depends on the event: the schema
	// with the user's properties, and what completes them.
	parameter, computed cue.Value
}

// borrowed is the copy of the stages of a run, which it gets when it first needs CUE.
type borrowed struct {
	action *Action
	compiled
	acquired bool
}

// get returns the copy.
func (b *borrowed) get() (compiled, error) {
	if b.acquired {
		return b.compiled, nil
	}
	select {
	case b.compiled = <-b.action.pool:
	default:
		trees, err := b.action.trees()
		if err != nil {
			return compiled{}, Terminal(err)
		}
		if b.compiled, err = b.action.compile(trees); err != nil {
			return compiled{}, Terminal(err)
		}
	}
	b.acquired = true
	return b.compiled, nil
}

// end gives the copy back.
func (b *borrowed) end() {
	if !b.acquired {
		return
	}
	select {
	case b.action.pool <- b.compiled:
	default:
	}
}

// ContextFields returns the fields of `context` that the action names: in the template,
// in message templates and in computed properties.
func (r *Action) ContextFields() expr.FieldSet {
	fields := r.template.messages.Context(r.options.Properties)
	named := []expr.FieldSet{r.template.context}
	if r.options.Computed != nil {
		named = append(named, r.options.Computed.Context)
	}
	for _, n := range named {
		if !n.IsAll() { // all of the context names none
			fields = fields.Union(n)
		}
	}
	return fields
}

// DataFields returns the fields of `context.data` that the action depends on.
func (r *Action) DataFields() expr.FieldSet {
	fields := r.template.context
	if r.options.Computed != nil {
		fields = fields.Union(r.options.Computed.Context)
	}
	if r.parameter == "" && !r.template.messages.Empty() {
		return expr.All() // their texts are only known for each event
	}
	for _, m := range r.messages {
		fields = fields.Union(m.Fields())
	}
	return fields.Under("data")
}

// trees returns the syntax trees of the template's stages with the parameter.
func (r *Action) trees() ([]tree, error) {
	var trees []tree
	for _, s := range r.template.stages {
		tree, err := r.template.syntax(buildOptions{stage: s, parameter: r.parameter, messages: r.messages})
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree)
	}
	return trees, nil
}

// analyse determines the inputs of the stages, and whether the names of fields in them can
// be replaced.
func (r *Action) analyse(trees []tree) {
	use := expr.NameUse{Observed: r.parameter == ""}
	for _, s := range trees {
		r.inputs = append(r.inputs, s.inputs)
		use.Add(expr.UseOfNames(s.file))
		use.Add(r.template.library.names(s.packages))
	}
	r.names = expr.NewNames(use)
}

// compileFor compiles the stages of a template that differs from the action's by conditions, with
// the action's properties.
func (r *Action) compileFor(t *Template) (compiled, error) {
	other := &Action{template: t, options: r.options}
	if err := other.evaluateParameter(); err != nil {
		return compiled{}, err
	}
	trees, err := other.trees()
	if err != nil {
		return compiled{}, err
	}
	return other.compile(trees)
}

// compile compiles the trees of the template's stages, and the parameter if it depends on
// the event, in a CUE context of their own.
func (r *Action) compile(trees []tree) (compiled, error) {
	var (
		c   compiled
		err error
		ctx = cuecontext.New()
	)
	for _, s := range trees {
		value, err := s.build(ctx)
		if err != nil {
			return c, err
		}
		c.stages = append(c.stages, value)
	}
	if r.parameter != "" {
		return c, nil
	}
	if c.parameter, err = r.buildParameter(ctx); err == nil && r.options.Computed != nil {
		c.computed, err = r.options.Computed.Build(ctx, "")
	}
	return c, err
}
