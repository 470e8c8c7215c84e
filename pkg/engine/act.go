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

// act is the stage that runs the trigger's action once. If an optional step of a
// sequence of actions fails for good, the steps after it run in the same pass.
func (r *runner) act(ctx context.Context, t *task) result {
	if r.limiter != nil {
		if wait := r.rateLimitDelay(t); wait > 0 {
			return result{next: paused, wait: wait}
		}
	}
	if t.journal == nil {
		t.journal = action.NewJournal()
	}
	actionCtx := action.WithJournal(ctx, t.journal)
	if r.trigger.LoopDetector != nil {
		actionCtx = r.trigger.LoopDetector.WithCauses(actionCtx, *t.event())
	}
	for {
		if s, again := r.tryOnce(actionCtx, t); !again {
			return s
		}
	}
}

// tryOnce runs the action once. It reports whether another attempt follows at
// once.
func (r *runner) tryOnce(ctx context.Context, t *task) (s result, again bool) {
	h := r.startAttempt(t)
	err := r.attempt(ctx, *t.event())
	attempt, inTime := h.end()
	duration := r.clock.Since(h.start)
	switch {
	case !inTime:
		logr.FromContextOrDiscard(ctx).Info("Hung action returned", "key", t.event().Key,
			"event", t.event().ID, "duration", duration)
		return result{next: finished}, false
	case err == nil:
		d := r.newDecision(t.event(), Succeeded, "")
		d.Attempt, d.Duration = attempt, duration
		r.report.decision(d)
		return result{next: finished}, false
	case ctx.Err() != nil:
		return result{next: stopped}, false
	}

	attempts := r.stepAttempts(t, attempt)
	reason, final := r.reason(err)
	if !final && attempts > *r.trigger.Policy.Retry.Limit {
		reason, final = ReasonExhausted, true
	}
	if final && !t.journal.SkipOptional() {
		r.deadLetter(t, t.failure(r.trigger.TriggerRef, err), reason)
		return result{next: finished}, false
	}
	d := r.newDecision(t.event(), Failed, reason)
	if final {
		d.Outcome = Skipped
	} else {
		d.RetryIn = r.trigger.Policy.Retry.Backoff.delayAtLeast(attempts, action.RetryAfter(err), rand.Float64())
	}
	d.Err, d.Attempt, d.Duration, d.Action = err, attempt, duration, action.FailedStep(err)
	r.report.decision(d)
	return result{next: paused, wait: d.RetryIn}, final
}

// stepAttempts returns how many of the attempts so far were made at the step that
// failed last. Each step of a sequence of actions has the full number of retries.
func (r *runner) stepAttempts(t *task, attempt int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if step := t.journal.CompletedSteps(); step != t.failedStep {
		t.failedStep, t.priorAttempts = step, attempt-1
	}
	return attempt - t.priorAttempts
}

// reason classifies err, and reports whether a retry is pointless.
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

// attempt runs the action once, with the trigger's timeout. An error after the
// timeout wraps r.timedOut.
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
