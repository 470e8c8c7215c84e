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

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
)

// act is the stage that makes one attempt of the trigger's action.
func (r *runner) act(ctx context.Context, j *job) step {
	if r.limiter != nil {
		if wait := r.untilTurn(j); wait > 0 {
			return step{then: paused, wait: wait}
		}
	}
	if j.journal == nil {
		j.journal = action.NewJournal()
	}
	acting := action.WithJournal(ctx, j.journal)
	if r.trigger.Guard != nil {
		acting = r.trigger.Guard.Acting(acting, *j.event())
	}
	w := r.begin(j)
	err := r.attempt(acting, *j.event())
	attempt, inTime := w.end()
	took := r.clock.Since(w.start)
	switch {
	case !inTime:
		logr.FromContextOrDiscard(ctx).Info("Hung action returned", "key", j.event().Key,
			"event", j.event().ID, "duration", took)
		return step{then: finished}
	case err == nil:
		d := r.decide(j.event(), Acted, "")
		d.Attempt, d.Duration = attempt, took
		r.report.decision(d)
		return step{then: finished}
	case ctx.Err() != nil:
		return step{then: stopped}
	}

	reason, final := r.reason(err)
	if !final && attempt > *r.trigger.Policy.Retry.Limit {
		reason, final = ReasonExhausted, true
	}
	if final {
		r.giveUp(j, j.failure(r.trigger.Trigger, err), reason)
		return step{then: finished}
	}
	d := r.decide(j.event(), Failed, reason)
	d.Err, d.Attempt, d.Duration = err, attempt, took
	d.RetryIn = r.trigger.Policy.Retry.Backoff.delay(attempt, rand.Float64())
	r.report.decision(d)
	return step{then: paused, wait: d.RetryIn}
}

// reason names the kind of err, and says whether no other attempt can help.
func (r *runner) reason(err error) (reason string, final bool) {
	var p *panicError
	switch {
	case errors.As(err, &p):
		return ReasonPanic, true
	case action.IsTerminal(err):
		return ReasonTerminal, true
	case errors.Is(err, r.timedOut):
		return ReasonTimeout, false
	default:
		return ReasonError, false
	}
}

// attempt runs the action once. An error that follows the timeout says so.
func (r *runner) attempt(ctx context.Context, ev event.Event) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.trigger.Policy.Timeout, r.timedOut)
	defer cancel()
	err := run(ctx, r.trigger.Action, ev)
	if err == nil || !errors.Is(context.Cause(ctx), r.timedOut) || errors.Is(err, r.timedOut) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) && err.Error() == context.DeadlineExceeded.Error() {
		return r.timedOut
	}
	return fmt.Errorf("%w: %w", r.timedOut, err)
}

func run(ctx context.Context, a action.Action, ev event.Event) (err error) {
	defer recovered(&err)
	return a.Run(ctx, ev)
}
