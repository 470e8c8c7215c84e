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

// Package trigger compiles triggers into what the engine runs. The controller, the
// webhook, the command line and the worker call the same Compile: what is accepted
// is what runs.
package trigger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/kubeschema"
	"github.com/kubevela/kube-trigger/pkg/number"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// Compiler compiles triggers. It is safe for concurrent use.
type Compiler struct {
	Sources source.Registry
	// Actions are the action templates, by type.
	Actions map[string]Template
	// Steps are the names of the steps of workflows that exist beside those in Actions; they are
	// suggested for unknown ones.
	Steps []string
	// Executor returns the executor of the provider calls of a trigger's action.
	Executor func(event.TriggerRef) provider.Executor
	// CompileAction compiles an action. Defaults to the method Compile of the template.
	CompileAction func(*action.Template, action.Options) (*action.Action, diag.List)
	// Schemas has the types of Kubernetes objects. Defaults to those of the kinds that are built in.
	Schemas *kubeschema.Schemas
	// find is Schemas.Find with a memory; nil for none.
	find func(schema.GroupVersionKind) kubeschema.Found
	// Checks decides what is a problem and what is a warning of what the types of events tell.
	Checks Checks
	// Accepted is set for triggers with which an equal Compiler has had no problems, in this process
	// or in another one: what only finds problems and warnings is left out.
	Accepted bool
	// Concurrency is how many triggers CompileService compiles at once. What it calls is then called
	// concurrently. Defaults to 1.
	Concurrency int
	// Service is the name of the TriggerService of the triggers.
	Service string
	// Application is the one that the TriggerService of the triggers is part of; the zero
	// value for none.
	Application event.Application
	// Progress returns what keeps the progress of a trigger's actions. It may be nil or return
	// nil for nothing.
	Progress func(event.TriggerRef) action.Progress
	// LoopDetector returns the loop detector of a trigger, and CrashTracker the crash
	// tracker of its filter and actions, whose CUE is text. They may be nil or return
	// nil for none.
	LoopDetector func(event.TriggerRef) engine.LoopDetector
	CrashTracker func(t event.TriggerRef, text string) engine.CrashTracker
	// Reject is called with "filter", "action", "group" and "source" before CUE of that part
	// is evaluated, which can exhaust memory or run forever. If it returns a reason,
	// the part is not compiled and the reason is reported. Defaults to never.
	Reject func(part string) string
}

// Compile compiles a trigger and returns all its problems, with paths relative to the
// trigger.
func (c Compiler) Compile(id event.TriggerRef, spec v1alpha1.Trigger) (Compiled, diag.List) {
	out := Compiled{Trigger: engine.Trigger{TriggerRef: id, SourceType: spec.Source.Type}}
	sourceSpec := source.Spec{TriggerRef: id, Application: c.Application}
	of := event.Trigger{Name: id.Name, Namespace: id.Namespace, Service: c.Service, Application: c.Application}
	var (
		list, problems diag.List
		compiled       compiledActions
		tracker        engine.CrashTracker
	)
	if problems = c.reject("filter"); problems == nil {
		out.Filter, problems = filter.Compile(spec.Filter, of)
	}
	if out.Filter != nil {
		out.ByCUE = out.Filter.ByCUE().WithPrefix("filter")
	}
	list = append(list, problems.WithPrefix("filter")...)
	if problems = c.reject("action"); problems == nil {
		tracker = c.crashTracker(id, spec)
		o := action.Options{Trigger: of, Executor: c.Executor(id), Evaluators: spec.Concurrency, CrashTracker: tracker, Accepted: c.Accepted}
		if c.Progress != nil {
			o.Progress = c.Progress(id)
		}
		if c.Sources[spec.Source.Type].Objectless {
			o.Objectless = spec.Source.Type
		}
		compiled, problems = c.compileActions(o, spec)
		out.Actions = compiled.list
		sourceSpec.Old = compiled.old
		out.ByCUE = append(out.ByCUE, compiled.byCUE...)
	} else {
		problems = problems.WithPrefix("action")
	}
	list = append(list, problems...)
	if out.Filter != nil {
		fields := out.Filter.ContextFields()
		sourceSpec.Old, out.DataFields = sourceSpec.Old.Union(oldDependencies(fields)), fields.Under("data")
	}
	grouping, groupFields, problems := c.compileGroup(of, spec)
	list = append(list, problems...)
	sourceSpec.Old, out.DataFields = sourceSpec.Old.Union(oldDependencies(groupFields)), out.DataFields.Union(groupFields.Under("data"))
	sourceSpec.MetadataOnly = out.DataFields.Union(compiled.data).IsWithin(source.MetadataFields()...)
	sourceSpec.OnChange, problems = parsePaths(spec.OnChange)
	list = append(list, problems.WithPrefix("onChange")...)
	out.Subscription, problems = c.compileSource(spec.Source, sourceSpec)
	list = append(list, problems.WithPrefix("source")...)
	if !c.Accepted {
		problems, out.Warnings = c.checkTypes(out, compiled, spec)
		list = append(list, problems...)
	}
	if w, ok := out.Subscription.(source.Warner); ok {
		out.Warnings = append(out.Warnings, w.Warnings().WithPrefix("source.properties")...)
	}
	if out.Subscription != nil && len(spec.OnChange) > 0 && !c.Sources[spec.Source.Type].OnChange {
		list.Add("onChange", "has no effect with the source %q, whose events are not changes of objects", spec.Source.Type)
	}
	out.Policy, problems = compilePolicy(spec)
	if list = append(list, problems...); len(list) == 0 {
		p := parts{tracker: tracker, filter: out.Filter, grouping: grouping, steps: compiled.steps}
		if c.LoopDetector != nil {
			p.detector = c.LoopDetector(id)
		}
		p.independent = c.Sources[spec.Source.Type].Independent
		out.parts = p
		out.Stages = p.stages()
	}
	return out, list
}

// parts are what the stages of a trigger consist of.
type parts struct {
	// detector, tracker and grouping may be nil.
	detector engine.LoopDetector
	tracker  engine.CrashTracker
	filter   filter.Filter
	grouping engine.Grouping
	steps    []engine.Step
	// independent is true if no action leads to events of the source.
	independent bool
}

// Fresh returns the trigger as if it had just been compiled, with another loop detector: its
// stages have handled no event.
func (c Compiled) Fresh(detector engine.LoopDetector) engine.Trigger {
	t, p := c.Trigger, c.parts
	p.detector = detector
	t.Stages = p.stages()
	return t
}

// stages returns the stages that handle the events of a trigger. A window over a group
// comes after the filter, which selects the events of the group.
func (p parts) stages() []engine.Stage {
	var stages []engine.Stage
	if p.detector != nil {
		stages = append(stages, engine.SelfWrite{Detector: p.detector})
	}
	debounce := engine.Debounce{Detector: p.detector}
	if p.grouping == nil {
		stages = append(stages, debounce)
	}
	if p.tracker != nil {
		stages = append(stages, engine.CrashGuard{Tracker: p.tracker})
	}
	stages = append(stages, engine.Match{Filter: p.filter, Tracker: p.tracker})
	if p.grouping != nil {
		stages = append(stages, engine.GroupBy{Grouping: p.grouping, Tracker: p.tracker}, debounce)
	}
	if p.detector != nil && !p.independent {
		stages = append(stages, engine.NewLoopGuard(p.detector))
	}
	return append(stages, engine.NewAct(p.detector, p.steps...))
}

// crashTracker returns the crash tracker of the trigger: of its filter, actions and
// action templates.
func (c Compiler) crashTracker(id event.TriggerRef, spec v1alpha1.Trigger) engine.CrashTracker {
	if c.CrashTracker == nil {
		return nil
	}
	steps := append(slices.Clone(spec.Actions), v1alpha1.ActionStep{Type: spec.Action.Type, Properties: spec.Action.Properties, Cue: spec.Action.Cue})
	text := spec.Filter
	if spec.Group != nil {
		text += "\x00" + spec.Group.By
	}
	for _, s := range steps {
		text += "\x00" + s.Type + "\x00"
		if s.Cue != "" {
			text += s.Cue + "\x00"
		}
		if s.Properties != nil {
			text += string(s.Properties.Raw) + "\x00"
		}
		if parsed, ok := c.Actions[s.Type]; ok {
			if template, _ := parsed(); template != nil {
				text += template.Source()
			}
		}
	}
	return c.CrashTracker(id, text)
}

func (c Compiler) reject(part string) diag.List {
	if c.Reject == nil {
		return nil
	}
	if reason := c.Reject(part); reason != "" {
		return diag.List{{Message: reason}}
	}
	return nil
}

// oldDependencies returns those of the fields of `context` that are below
// `context.old`. All of `context` includes none.
func oldDependencies(fields expr.FieldSet) expr.FieldSet {
	if fields.IsAll() {
		return expr.FieldSet{}
	}
	return fields.Under("old")
}

// parsePaths parses the paths of onChange.
func parsePaths(texts []string) ([]source.Path, diag.List) {
	var (
		paths []source.Path
		list  diag.List
	)
	for i, text := range texts {
		p, err := source.ParsePath(text)
		if err != nil {
			list.Add(fmt.Sprintf("[%d]", i), "%v", err)
			continue
		}
		paths = append(paths, p)
	}
	return paths, list
}

func (c Compiler) compileSource(spec v1alpha1.Source, sourceSpec source.Spec) (source.Subscription, diag.List) {
	var list diag.List
	factory, ok := c.Sources[spec.Type]
	if !ok {
		list.Add("type", "%s", unknownType("source", spec.Type, slices.Sorted(maps.Keys(c.Sources))))
		return nil, list
	}
	properties, err := decodeObject(spec.Properties)
	if err != nil {
		list.Add("properties", "%v", err)
		return nil, list
	}
	if factory.EvaluatesCUE {
		if list = c.reject("source"); len(list) > 0 {
			return nil, list.WithPrefix("properties")
		}
	}
	sub, list := factory.Compile(properties, sourceSpec)
	return sub, list.WithPrefix("properties")
}

func unknownType(kind, name string, known []string) string {
	if name == "" {
		return fmt.Sprintf("is required; %ss: %s", kind, strings.Join(known, ", "))
	}
	return fmt.Sprintf("unknown %s %q%s; %ss: %s", kind, name, diag.Suggest(name, known), kind, strings.Join(known, ", "))
}

func decodeObject(raw *runtime.RawExtension) (map[string]any, error) {
	if raw == nil || len(raw.Raw) == 0 {
		return nil, nil
	}
	m, err := number.UnmarshalObject(raw.Raw)
	if err != nil {
		return nil, fmt.Errorf("must be an object")
	}
	return m, nil
}

// compilePolicy returns the policy of the spec. Unset fields keep the engine's
// defaults.
func compilePolicy(spec v1alpha1.Trigger) (engine.Policy, diag.List) {
	var list diag.List
	p := engine.Policy{Concurrency: spec.Concurrency, Suspend: spec.Suspend, AllowSelfTrigger: spec.AllowSelfTrigger}
	duration := func(path string, d *metav1.Duration) time.Duration {
		if d == nil {
			return 0
		}
		if d.Duration <= 0 {
			list.Add(path, "must be longer than 0s, not %s", d.Duration)
		}
		return d.Duration
	}
	p.Timeout = duration("timeout", spec.Timeout)
	p.Debounce = duration("debounce", spec.Debounce)
	if r := spec.RateLimit; r != nil {
		p.RateLimit = engine.RateLimit{Limit: r.Limit, Period: duration("rateLimit.period", &r.Period)}
		if r.Limit < 1 || r.Limit > engine.MaxRateLimit {
			list.Add("rateLimit.limit", "must be from 1 to %d, not %d", engine.MaxRateLimit, r.Limit)
		}
	}
	if r := spec.Retry; r != nil {
		p.Retry.Limit = r.Limit
		if b := r.Backoff; b != nil {
			p.Retry.Backoff = engine.Backoff{
				Initial: duration("retry.backoff.initial", b.Initial),
				Max:     duration("retry.backoff.max", b.Max),
				Factor:  float64(b.Factor),
			}
		}
	}
	if b := p.Retry.Backoff; b.Max > 0 && b.Max < b.Initial {
		list.Add("retry.backoff.max", "must not be below initial (%s), is %s", b.Initial, b.Max)
	}
	return p, list
}
