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
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/warning"
)

// DefaultEvaluators is the default number of compiled copies of a template that an
// action keeps for concurrent runs. Additional copies are compiled on demand and
// discarded.
const DefaultEvaluators = 4

// Options configure an action or a view.
type Options struct {
	// Trigger is the value of `context.trigger`.
	Trigger event.TriggerRef
	// Properties are the values of the template's `parameter`, and Computed those that
	// depend on the event; nil for none.
	Properties map[string]any
	Computed   *expr.Computed
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
}

// Compile returns the action of the template with o.Properties. The paths in the
// diagnostics are relative to the properties. CheckComputed checks o.Computed.
func (t *Template) Compile(o Options) (*Action, diag.List) {
	list := append(t.messages.Check(o.Properties), t.checkViews(o.Properties)...)
	if o.Computed == nil {
		list = append(t.parameter.Check(o.Properties), list...)
	}
	if len(list) > 0 {
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
	c, err := r.compile(trees)
	if err != nil {
		return nil, diagnostics(err)
	}
	if o.Objectless != "" {
		if list := r.checkObject(c); len(list) > 0 {
			return nil, list
		}
	}
	r.pool <- c
	return r, nil
}

// Action handles events. It is safe for concurrent use. CUE values are not: each run
// acquires its own compiled copy of the template's stages from pool.
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
	// inputs are the inputs of each of the template's stages.
	inputs []inputs
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

// evaluateParameter evaluates `parameter` once, if it does not depend on the event.
func (r *Action) evaluateParameter() error {
	properties := []byte("{}")
	if r.options.Properties != nil {
		var err error
		if properties, err = json.Marshal(r.options.Properties); err != nil {
			return err
		}
	}
	r.properties = properties
	value, err := r.buildParameter(cuecontext.New())
	if err != nil || r.options.Computed != nil {
		return err
	}
	parameter := value.LookupPath(cue.ParsePath("parameter"))
	if r.parameter = expr.ConcreteSyntax(parameter); r.parameter == "" {
		return nil
	}
	return r.prepareMessages(parameter)
}

// buildParameter compiles the schema of the parameter with the user's properties.
func (r *Action) buildParameter(ctx *cue.Context) (cue.Value, error) {
	value, err := r.template.build(ctx, buildOptions{stage: expr.Stage{Declarations: r.template.parameterDecls}})
	if err != nil {
		return value, err
	}
	// Compiled from JSON, so that integers stay integers.
	properties := ctx.CompileBytes(r.properties, cue.Filename("properties"))
	value = value.FillPath(cue.ParsePath("parameter"), properties)
	return value, value.LookupPath(cue.ParsePath("parameter")).Validate()
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
		use.Add(packageNames(s.packages))
	}
	r.names = expr.NewNames(use)
}

// packageNames returns how packages use names.
func packageNames(packages []velaPackage) expr.NameUse {
	var use expr.NameUse
	for _, p := range packages {
		if !slices.Contains([]string{"vela/builtin", "vela/email", "vela/http", "vela/kube", "vela/ql"}, p.path) {
			return expr.NameUse{Observed: true}
		}
		use.Add(expr.UseOfNames(p.syntax))
	}
	return use
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

// Start begins the handling of an event and returns the function that runs the action
// for ev, the event, which it does not keep:
// it evaluates the template, executes its calls and returns its result. results are
// those of earlier actions of the trigger, by name. If run fails it can be called
// again; calls that have succeeded are not repeated. An error that is marked by
// Terminal must not be retried. If the calls of a template that can change or send something
// have changed nothing, the result is an event.Unchanged. Errors contain no values of Secrets
// in the event, and none that earlier attempts or, through shared, earlier actions for the
// event have read; shared may be nil. run must not be called concurrently.
func (r *Action) Start(results map[string]any, shared *sync.Map) (run func(ctx context.Context, ev event.Event) (any, error)) {
	j := &journal{step: position(shared)}
	var secrets *redact.Values
	id := fmt.Sprintf("%s %d", r.options.Trigger, j.step)
	return func(ctx context.Context, ev event.Event) (any, error) {
		if secrets == nil {
			secrets, j.scope = sharedSecrets(ev, shared), provider.NewScope(ev, id)
		} else {
			secrets.AddSecrets(ev.Data) // it may have been read again
		}
		result, err := r.run(redact.NewContext(ctx, secrets), ev, results, j)
		if err != nil {
			return nil, secrets.Error(err)
		}
		if reason := j.scope.Unchanged(j.effects); reason != "" && r.template.hasEffect {
			return event.Unchanged{Reason: reason, Result: result}, nil
		}
		return result, nil
	}
}

// positionKey is the key of the number of actions that have begun, in the values that the
// actions for an event share.
type positionKey struct{}

// position returns the number of actions that have begun for the event before this one.
func position(shared *sync.Map) int32 {
	if shared == nil {
		return 0
	}
	stored, _ := shared.LoadOrStore(positionKey{}, new(atomic.Int32))
	begun, _ := stored.(*atomic.Int32)
	return begun.Add(1) - 1
}

// secretsKey is the key of the values to redact in the values that the actions for an
// event share.
type secretsKey struct{}

func sharedSecrets(ev event.Event, shared *sync.Map) *redact.Values {
	secrets := redact.New(ev.Data, ev.Old)
	if shared != nil {
		stored, loaded := shared.LoadOrStore(secretsKey{}, secrets)
		secrets, _ = stored.(*redact.Values)
		if loaded {
			secrets.AddSecrets(ev.Data)
		}
	}
	return secrets
}

// run evaluates the template again after a conflict on a resourceVersion, up to
// maxConflictRetries times.
func (r *Action) run(ctx context.Context, ev event.Event, results map[string]any, j *journal) (any, error) {
	backoff := newConflictBackoff()
	for round := 0; ; round++ {
		result, err := r.attempt(ctx, ev, results, j)
		if !isConflict(err) || round == maxConflictRetries {
			return result, classify(err)
		}
		if !sleep.For(ctx, clock.RealClock{}, backoff.Step()) {
			return nil, context.Cause(ctx)
		}
	}
}

func (r *Action) attempt(ctx context.Context, ev event.Event, results map[string]any, j *journal) (result any, err error) {
	ctx, end := Track(ctx, r.options.CrashTracker, ev.ID)
	defer end()
	c, err := r.acquire()
	if err != nil {
		return nil, Terminal(err)
	}
	defer r.release(c)
	defer r.template.terminalPanic(&err)
	defer panicerr.Recover(&err)
	data := ev.Context(r.options.Trigger)
	data[stepField] = int64(j.step)
	if results != nil {
		data[expr.ResultsField] = results
	}
	public := publicContext(data)
	if r.needs(redactedField) {
		data[redactedField] = public()["data"]
	}
	run := &resolution{runner: r, journal: j, context: data, public: public, renaming: r.names.Begin()}
	if err = run.resolve(ctx, c); errors.Is(err, expr.ErrOrder) {
		run = &resolution{runner: r, journal: j, context: data, public: public}
		err = run.resolve(ctx, c)
	}
	if err == nil {
		warning.Add(ctx, run.warnings...)
	}
	return run.result, err
}

// needs reports whether a stage needs a field of `context`.
func (r *Action) needs(field string) bool {
	return slices.ContainsFunc(r.inputs, func(in inputs) bool { return !in.context.Under(field).Empty() })
}

func (r *Action) acquire() (compiled, error) {
	select {
	case c := <-r.pool:
		return c, nil
	default:
	}
	trees, err := r.trees()
	if err != nil {
		return compiled{}, err
	}
	return r.compile(trees)
}

func (r *Action) release(c compiled) {
	select {
	case r.pool <- c:
	default:
	}
}
