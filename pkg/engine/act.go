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
func (r *runner) act(ctx context.Context, j *task) result {
	if r.limiter != nil {
		if wait := r.rateLimitDelay(j); wait > 0 {
			return result{next: paused, wait: wait}
		}
	}
	if j.journal == nil {
		j.journal = action.NewJournal()
	}
	actionCtx := action.WithJournal(ctx, j.journal)
	if r.trigger.LoopDetector != nil {
		actionCtx = r.trigger.LoopDetector.WithCauses(actionCtx, *j.event())
	}
	for {
		if s, again := r.tryOnce(actionCtx, j); !again {
			return s
		}
	}
}

// tryOnce makes one attempt. It reports whether another one is to follow at once.
func (r *runner) tryOnce(ctx context.Context, j *task) (s result, again bool) {
	w := r.startAttempt(j)
	err := r.attempt(ctx, *j.event())
	attempt, inTime := w.end()
	took := r.clock.Since(w.start)
	switch {
	case !inTime:
		logr.FromContextOrDiscard(ctx).Info("Hung action returned", "key", j.event().Key,
			"event", j.event().ID, "duration", took)
		return result{next: finished}, false
	case err == nil:
		d := r.newDecision(j.event(), Succeeded, "")
		d.Attempt, d.Duration = attempt, took
		r.report.decision(d)
		return result{next: finished}, false
	case ctx.Err() != nil:
		return result{next: stopped}, false
	}

	tries := r.stepAttempts(j, attempt)
	reason, final := r.reason(err)
	if !final && tries > *r.trigger.Policy.Retry.Limit {
		reason, final = ReasonExhausted, true
	}
	if final && !j.journal.SkipOptional() {
		r.deadLetter(j, j.failure(r.trigger.TriggerRef, err), reason)
		return result{next: finished}, false
	}
	d := r.newDecision(j.event(), Failed, reason)
	if final {
		d.Outcome = Skipped
	} else {
		d.RetryIn = r.trigger.Policy.Retry.Backoff.delayAtLeast(tries, action.RetryAfter(err), rand.Float64())
	}
	d.Err, d.Attempt, d.Duration, d.Action = err, attempt, took, action.FailedStep(err)
	r.report.decision(d)
	return result{next: paused, wait: d.RetryIn}, final
}

// stepAttempts returns how many of the attempts so far were made at the action that
// failed last: of several, each has as many as a single one.
func (r *runner) stepAttempts(j *task, attempt int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if step := j.journal.CompletedSteps(); step != j.failedStep {
		j.failedStep, j.priorAttempts = step, attempt-1
	}
	return attempt - j.priorAttempts
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
	err := runAction(ctx, r.trigger.Action, ev)
	if err == nil || !errors.Is(context.Cause(ctx), r.timedOut) || errors.Is(err, r.timedOut) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) && err.Error() == context.DeadlineExceeded.Error() {
		return r.timedOut
	}
	return fmt.Errorf("%w: %w", r.timedOut, err)
}

func runAction(ctx context.Context, a action.Action, ev event.Event) (err error) {
	defer recoverAsError(&err)
	return a.Run(ctx, ev)
}
