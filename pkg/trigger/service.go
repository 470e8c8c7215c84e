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

package trigger

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/api/v1alpha1"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/engine"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

// Compiled is a compiled trigger of a TriggerService.
type Compiled struct {
	// Trigger can run if there are no Problems. Its name is always set; its
	// Subscription is set if the source is valid.
	engine.Trigger
	// Filter is set if the filter is valid.
	Filter filter.Filter
	// Actions are set if they are valid.
	Actions []Action
	// Problems have paths relative to the TriggerService: "spec.triggers[0].filter".
	Problems diag.List
	// Warnings are about what is valid, and probably not meant. Their paths are like
	// those of Problems.
	Warnings diag.List
	// DataFields are the fields of the event's data that its filter and its group depend on.
	DataFields expr.FieldSet
	// ByCUE is what of the filter and of the actions CUE evaluates, since it is not compiled. The paths are like
	// those of Problems.
	ByCUE diag.List
	// parts are those of Stages.
	parts parts
	// Suspended is true if the trigger or its TriggerService is suspended.
	Suspended bool
}

// Action is a compiled action of a trigger.
type Action struct {
	// Path is where the trigger has it: "action", or "actions[0]".
	Path string
	*action.Action
}

// CompileService compiles the triggers of ts, in the order of the spec. The name of a
// trigger defaults to the name of ts, "-" and its index. reject is called for each
// trigger with the part "", and with each part that Compiler.Reject has; what it
// returns a reason for is not compiled, and the reason is its problem.
func CompileService(c Compiler, ts *v1alpha1.TriggerService, reject func(index int, name, part string) string) []Compiled {
	c.Service, c.Application, c.find = ts.Name, ApplicationOf(ts), findOnce(c.Schemas)
	all, workers := make([]Compiled, len(ts.Spec.Triggers)), sync.WaitGroup{}
	var next atomic.Int64
	compile := func() {
		for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
			all[i] = c.compileTrigger(ts, i, reject)
		}
	}
	for range min(c.Concurrency, len(all)) - 1 {
		workers.Go(compile)
	}
	compile()
	workers.Wait()
	indexes := map[string]int{}
	for i := range all {
		name := ts.TriggerName(i)
		if first, ok := indexes[name]; ok {
			all[i].Problems.Add("name", "%q is already used by triggers[%d]", name, first)
			// Names are unique in the status.
			all[i].Name = fmt.Sprintf("%s-%d", name, i)
		} else {
			indexes[name] = i
		}
		path := fmt.Sprintf("spec.triggers[%d]", i)
		all[i].Problems, all[i].Warnings, all[i].ByCUE = all[i].Problems.WithPrefix(path), all[i].Warnings.WithPrefix(path), all[i].ByCUE.WithPrefix(path)
	}
	return all
}

// compileTrigger compiles a trigger of ts. The paths of diagnostics are relative to the trigger.
func (c Compiler) compileTrigger(ts *v1alpha1.TriggerService, i int, reject func(index int, name, part string) string) Compiled {
	id, spec := event.TriggerRef{Name: ts.TriggerName(i), Namespace: ts.Namespace}, ts.Spec.Triggers[i]
	spec.Suspend = spec.Suspend || ts.Spec.Suspend
	out, problems := Compiled{Trigger: engine.Trigger{TriggerRef: id}}, diag.List(nil)
	if reason := reject(i, id.Name, ""); reason != "" {
		problems.Add("", "%s", reason)
	} else {
		c.Reject = func(part string) string { return reject(i, id.Name, part) }
		out, problems = c.Compile(id, spec)
	}
	out.Problems, out.Suspended = problems, spec.Suspend
	return out
}

// AddActions parses action templates, by name, and adds them to the built-in ones.
// Templates with problems are reported in broken by name. They, and those in invalid, with
// the reasons by name, are Invalid unless they are built in.
func AddActions(builtIn map[string]Template, sources, invalid map[string]string) (templates map[string]Template, broken map[string]diag.List) {
	templates = make(map[string]Template, len(builtIn)+len(sources))
	maps.Copy(templates, builtIn)
	broken = map[string]diag.List{}
	parser := action.NewParser()
	for name, source := range sources {
		t, problems := parser.Parse(name, source)
		if len(problems) > 0 {
			broken[name] = problems
			continue
		}
		templates[name] = Parsed(t)
	}
	addInvalid := func(name string, problems diag.List) {
		if templates[name] == nil {
			templates[name] = Invalid(problems)
		}
	}
	for name, problems := range broken {
		addInvalid(name, problems)
	}
	for name, reason := range invalid {
		addInvalid(name, diag.List{{Message: reason}})
	}
	return templates, broken
}
