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
	"fmt"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/diag"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// checkObject returns a problem if the action needs the object of the event, and events of
// the source o.Objectless have none: a call can be made for an event with an object, and not
// for one without. Calls are not executed.
func (r *Action) checkObject(c compiled) diag.List {
	without := r.plan(c, map[string]any{})
	if without == len(c.stages) || r.plan(c, sample{name: "sample", namespace: "default", mark: "1"}.object("v1", "ConfigMap")) <= without {
		return nil
	}
	return diag.List{{Message: fmt.Sprintf(
		"%s needs an object, and events of the source %q have none: name the object here", r.template.name, r.options.Objectless)}}
}

// plan evaluates the stages for an event with the given data, with empty results of calls.
// It returns the number of stages whose calls can be made.
func (r *Action) plan(c compiled, data map[string]any) int {
	sample := event.Event{Source: r.options.Objectless, ID: "sample", Data: data}.Context(r.options.Trigger)
	completed, _ := r.evaluate(context.Background(), &borrowed{compiled: c, acquired: true}, sample, planner{}) // how far it came is what matters
	return completed
}

// evaluate evaluates the stages for input, the value of `context`, with the results of calls that
// executor returns. It returns the number of stages whose calls were made.
func (r *Action) evaluate(ctx context.Context, b *borrowed, input map[string]any, executor provider.Executor) (completed int, err error) {
	planned := &Action{
		template: r.template, options: r.options, properties: r.properties, parameter: r.parameter,
		messages: r.messages, parameterProgram: r.parameterProgram, inputs: r.inputs, rendered: r.rendered, names: r.names,
	}
	planned.options.Executor = executor
	input[redactedField], input[stepField] = input["data"], int64(0)
	run := &resolution{
		runner: planned, journal: &journal{}, context: input, public: func() map[string]any { return input },
	}
	err = run.resolve(ctx, b)
	return run.completed, err
}

// planner returns an empty result for each call.
type planner struct{}

// Execute implements provider.Executor.
func (planner) Execute(context.Context, provider.Call) (provider.Result, error) {
	return provider.Result{"$returns": map[string]any{}}, nil
}
