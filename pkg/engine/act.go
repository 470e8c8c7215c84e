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

// act is the stage that makes one attempt of the trigger's action. Where one of
// several has failed for good and may be left out, the attempt at those behind it
// follows at once.
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
	for {
		if s, again := r.try(acting, j); !again {
			return s
		}
	}
}

// try makes one attempt. It reports whether another one is to follow at once.
func (r *runner) try(ctx context.Context, j *job) (s step, again bool) {
	w := r.begin(j)
	err := r.attempt(ctx, *j.event())
	attempt, inTime := w.end()
	took := r.clock.Since(w.start)
	switch {
	case !inTime:
		logr.FromContextOrDiscard(ctx).Info("Hung action returned", "key", j.event().Key,
			"event", j.event().ID, "duration", took)
		return step{then: finished}, false
	case err == nil:
		d := r.decide(j.event(), Acted, "")
		d.Attempt, d.Duration = attempt, took
		r.report.decision(d)
		return step{then: finished}, false
	case ctx.Err() != nil:
		return step{then: stopped}, false
	}

	tries := r.tries(j, attempt)
	reason, final := r.reason(err)
	if !final && tries > *r.trigger.Policy.Retry.Limit {
		reason, final = ReasonExhausted, true
	}
	if final && !j.journal.Skip() {
		r.giveUp(j, j.failure(r.trigger.Trigger, err), reason)
		return step{then: finished}, false
	}
	d := r.decide(j.event(), Failed, reason)
	if final {
		d.Outcome = Skipped
	} else {
		d.RetryIn = r.trigger.Policy.Retry.Backoff.after(tries, action.RetryAfter(err), rand.Float64())
	}
	d.Err, d.Attempt, d.Duration, d.Action = err, attempt, took, action.FailedStep(err)
	r.report.decision(d)
	return step{then: paused, wait: d.RetryIn}, final
}

// tries returns how many of the attempts so far were made at the action that
// failed last: of several, each has as many as a single one.
func (r *runner) tries(j *job, attempt int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := j.journal.Step(); at != j.at {
		j.at, j.before = at, attempt-1
	}
	return attempt - j.before
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
