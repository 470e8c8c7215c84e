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
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
	"github.com/kubevela/kube-trigger/pkg/warning"
)

// Step is one action of a trigger.
type Step struct {
	// Name is the name of the step's result for later steps; empty if it has none. A
	// step with a Name has a Title.
	Name string
	// Title identifies the step in errors and decisions; empty for the only step.
	Title string
	// Optional is set if the next step runs although this one failed permanently.
	Optional bool
	// WaitLimit is how long the step may wait for a condition. Defaults to DefaultWaitLimit.
	WaitLimit time.Duration
	// Start begins the handling of an event and returns the function that runs it. run
	// is called until it succeeds; calls that have succeeded are not repeated. An error with
	// the method WaitingSince says that the step waits for a condition: run is called again
	// later, which is no retry. It does
	// not keep ev, the event. results are those of earlier steps, by name; nil for a
	// step without a Title. The result is an event.Unchanged if the step changed nothing.
	// shared is empty at the first step of an event, and keeps
	// what the action puts into it for later ones.
	Start func(results map[string]any, shared *sync.Map) (run func(ctx context.Context, ev event.Event) (result any, err error))
}

// Act is the stage that runs the steps of a trigger in order. The first failure
// ends the attempt; a retry continues with the failed step, which has the full
// number of retries.
type Act struct {
	steps    []Step
	detector LoopDetector

	mu sync.Mutex
	// limiter limits the attempts; it is set at the first one.
	limiter *limiter
}

// NewIdleAct returns an Act that does nothing.
func NewIdleAct() *Act {
	return NewAct(nil, Step{Start: func(map[string]any, *sync.Map) func(context.Context, event.Event) (any, error) {
		return func(context.Context, event.Event) (any, error) { return nil, nil }
	}})
}

// NewAct returns the Act of one trigger. detector records the causes of writes; nil
// for none.
func NewAct(detector LoopDetector, steps ...Step) *Act { return &Act{steps: steps, detector: detector} }

// execution is the progress of the steps with one event.
type execution struct {
	// step is the index of the current step, and run runs it; nil before its start.
	step    int
	run     func(ctx context.Context, ev event.Event) (any, error)
	results map[string]any
	shared  sync.Map
	// waits counts the runs of the current step that ended since its condition was not met,
	// waitText is the last one's error.
	waits    int
	waitText string
	// changed is set if a step has changed something. unchanged is the reason of the
	// first one that has not.
	changed   bool
	unchanged string
	// warnings are those of the steps that succeeded.
	warnings []string
}

// reason returns the reason of the decision that the steps succeeded: why they changed
// nothing, or "".
func (e *execution) reason() string {
	if e.changed {
		return ""
	}
	return e.unchanged
}

// keep keeps the result of a step for later ones.
func (e *execution) keep(name string, result any) {
	if u, ok := result.(event.Unchanged); ok {
		result, e.unchanged = u.Result, cmp.Or(e.unchanged, u.Reason)
	} else {
		e.changed = true
	}
	if name != "" && result != nil {
		e.results[name] = result
	}
}

// Handle implements Stage. If an optional step fails permanently, the steps after it
// run in the same pass.
func (a *Act) Handle(ctx context.Context, t *Task) Result {
	if t.execution == nil || t.execution.waits == 0 { // to look at a condition again is no attempt
		if wait := a.rateLimitDelay(t); wait > 0 {
			return pause(wait)
		}
	}
	if res, loaded := t.load(ctx); !loaded {
		return res
	}
	if a.detector != nil {
		ctx = a.detector.WithCauses(ctx, *t.Event(), t.Writer())
	}
	if t.execution == nil {
		t.execution = &execution{}
		if a.steps[0].Title != "" {
			t.execution.results = map[string]any{}
		}
	}
	for {
		if res, again := a.tryOnce(ctx, t); !again {
			return res
		}
	}
}

// advance makes the next step the current one. It returns false if there is none.
func (a *Act) advance(t *Task) bool {
	e := t.execution
	e.step, e.run = e.step+1, nil
	e.waits, e.waitText = 0, ""
	return e.step < len(a.steps)
}

// tryOnce runs the remaining steps once. It reports whether another attempt follows
// immediately.
func (a *Act) tryOnce(ctx context.Context, t *Task) (res Result, again bool) {
	r, step := t.runner, t.execution.step
	h := t.startAttempt()
	err := a.attempt(ctx, t)
	made, inTime := h.end()
	switch {
	case !inTime:
		r.report.hungActionReturned(r.trigger.TriggerRef, t.Event(), r.clock.Since(h.start))
		return Result{next: decided}, false
	case err == nil:
		return Result{next: finished, outcome: Succeeded, reason: t.execution.reason(), start: h.start, warnings: t.execution.warnings}, false
	case ctx.Err() != nil:
		return stop(), false
	}
	if t.execution.step != step {
		made.step = 1 // earlier attempts failed at another step
		t.setStepAttempts(1)
	}
	if waiting := waiter(nil); errors.As(err, &waiting) {
		if res, waits := a.wait(t, made, h.start, waiting.WaitingSince(), err); waits {
			return res, false
		}
		err = &waitLimitError{a.steps[t.execution.step].waitLimit(), err}
	}
	reason, final := reasonOf(err)
	if !final && made.step > *t.policy().Retry.Limit {
		reason, final = ReasonExhausted, true
	}
	current := a.steps[t.execution.step]
	if final && !current.Optional {
		return DeadLetter(reason, err), false
	}
	d := r.newDecision(t.Event(), Failed, reason)
	d.Err, d.Attempt, d.Duration, d.Action = err, made.total, d.Time.Sub(h.start), current.Title
	if !final {
		d.RetryIn = t.policy().Retry.Backoff.delayAtLeast(made.step, retryAfter(err), rand.Float64())
		r.report.decision(d)
		return pause(d.RetryIn), false
	}
	d.Outcome = Skipped
	r.report.decision(d)
	t.setStepAttempts(0)
	if !a.advance(t) {
		return Result{next: finished, outcome: Succeeded, reason: t.execution.reason(), start: h.start, warnings: t.execution.warnings}, false
	}
	return Result{}, true
}

// attempt runs the remaining steps once, with the trigger's timeout. An error after
// the timeout wraps a timeoutError.
func (a *Act) attempt(ctx context.Context, t *Task) error {
	timedOut := timeoutError{t.policy().Timeout}
	ctx, cancel := context.WithTimeoutCause(ctx, timedOut.timeout, timedOut)
	defer cancel()
	err := a.runSteps(ctx, t)
	if err == nil || !errors.Is(context.Cause(ctx), timedOut) || errors.As(err, &timeoutError{}) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) && err.Error() == context.DeadlineExceeded.Error() {
		return timedOut
	}
	return fmt.Errorf("%w: %w", timedOut, err)
}

func (a *Act) runSteps(ctx context.Context, t *Task) error {
	for {
		step := &a.steps[t.execution.step]
		result, err := step.run(ctx, t)
		if err != nil {
			if step.Title == "" {
				return err
			}
			return &stepError{step: step.Title, err: err}
		}
		t.execution.keep(step.Name, result)
		if !a.advance(t) {
			return nil
		}
	}
}

// run starts the step of t, unless an earlier attempt has, and runs it.
func (s *Step) run(ctx context.Context, t *Task) (result any, err error) {
	defer panicerr.Recover(&err)
	e := t.execution
	if e.run == nil {
		e.run = s.Start(e.results, &e.shared)
	}
	ctx, collected := warning.Collect(ctx)
	result, err = e.run(ctx, *t.Event())
	if err == nil {
		e.warnings = append(e.warnings, collected()...)
	}
	return result, err
}

// timeoutError is the cause of the end of an attempt's context.
type timeoutError struct{ timeout time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("timed out after %s", e.timeout) }

// stepError is the failure of one of several steps.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }

func (e *stepError) Unwrap() error { return e.err }

// failedStep returns the title of the step that failed with err; "" if there is only
// one.
func failedStep(err error) string {
	if s := (*stepError)(nil); errors.As(err, &s) {
		return s.step
	}
	return ""
}

// reasonOf classifies the error of an attempt, and reports whether a retry is
// pointless: after a panic, or if the error has a method Terminal that returns true. Such
// an error may have a method Reason.
func reasonOf(err error) (reason string, final bool) {
	var (
		p *panicerr.Error
		t interface{ Terminal() bool }
		r interface{ Reason() string }
	)
	switch {
	case errors.As(err, &p):
		return ReasonPanic, true
	case errors.As(err, &t) && t.Terminal():
		if errors.As(err, &r) {
			return r.Reason(), true
		}
		return ReasonTerminal, true
	case errors.As(err, &timeoutError{}):
		return ReasonTimeout, false
	default:
		return ReasonError, false
	}
}

// retryAfter returns the delay that a server requested with Retry-After; 0 if none
// did.
func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return time.Duration(max(seconds, 0)) * time.Second
}
