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
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/action/provider"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/expr"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/redact"
	"github.com/kubevela/kube-trigger/pkg/sleep"
	"github.com/kubevela/kube-trigger/pkg/warning"
)

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
			if err := r.loadProgress(ctx, ev, j); err != nil {
				return nil, err
			}
			secrets, j.scope = sharedSecrets(ev, shared), provider.NewScope(ev, id)
		} else {
			secrets.AddSecrets(ev.Data) // it may have been read again
		}
		ctx = redact.NewContext(ctx, secrets)
		result, err := r.run(ctx, ev, results, j)
		if err != nil {
			return nil, r.waiting(ctx, secrets.Error(err), j)
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

// sharedSecrets returns the values to redact that the actions for ev share. These run one
// after another, so that only the first looks for them in all of ev.
func sharedSecrets(ev event.Event, shared *sync.Map) *redact.Values {
	if shared == nil {
		return redact.New(ev.Data, ev.Old)
	}
	stored, _ := shared.Load(secretsKey{})
	if secrets, ok := stored.(*redact.Values); ok {
		secrets.AddSecrets(ev.Data) // it may have been read again
		return secrets
	}
	secrets := redact.New(ev.Data, ev.Old)
	shared.Store(secretsKey{}, secrets)
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
	c := &borrowed{action: r}
	defer c.end()
	defer r.template.terminalPanic(&err)
	defer panicerr.Recover(&err)
	data := ev.Context(r.options.Trigger)
	data[stepField] = int64(j.step)
	if r.template.step != nil {
		r.addStepContext(data, ev, j.step)
	}
	if results != nil {
		data[expr.ResultsField] = results
	}
	public := publicContext(data)
	if r.needs(redactedField) {
		data[redactedField] = public()["data"]
	}
	run := &resolution{runner: r, journal: j, context: data, public: public, renaming: r.names.Begin()}
	if err = run.resolve(ctx, c); errors.Is(err, expr.ErrRenaming) {
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
