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
	"fmt"
	"time"
)

// DefaultWaitLimit is how long a step may wait for its condition.
const DefaultWaitLimit = 10 * time.Minute

// A step that waits for a condition is run again after minWait, which doubles each time, up to
// maxWait.
const (
	minWait = time.Second
	maxWait = 30 * time.Second
)

// waiter is an error of a step that waits for a condition.
type waiter interface {
	error
	// WaitingSince returns when the wait began.
	WaitingSince() time.Time
}

func (s *Step) waitLimit() time.Duration { return cmp.Or(s.WaitLimit, DefaultWaitLimit) }

// wait pauses the current step of t, whose condition was not met in the run that began at
// start. It returns false if the step has waited for its limit since the given time. The run
// uses up no retry.
func (a *Act) wait(t *Task, made attempts, start, since time.Time, err error) (Result, bool) {
	r, e := t.runner, t.execution
	step := &a.steps[e.step]
	left := step.waitLimit() - start.Sub(since)
	if left <= 0 {
		return Result{}, false
	}
	t.setStepAttempts(made.step - 1)
	delay := min(minWait<<min(e.waits, 5), maxWait, left)
	e.waits++
	if text := err.Error(); text != e.waitText {
		e.waitText = text
		d := r.newDecision(t.Event(), Waiting, "")
		d.Err, d.Attempt, d.Duration, d.Action, d.RetryIn = err, made.total, d.Time.Sub(start), step.Title, delay
		r.report.decision(d)
	}
	return pause(delay), true
}

// waitLimitError is the failure of a step whose condition was not met in time.
type waitLimitError struct {
	limit time.Duration
	err   error
}

func (e *waitLimitError) Error() string { return fmt.Sprintf("waited for %s: %v", e.limit, e.err) }

func (e *waitLimitError) Unwrap() error { return e.err }

// Terminal and Reason implement what reasonOf asks for.
func (*waitLimitError) Terminal() bool { return true }

func (*waitLimitError) Reason() string { return ReasonWaitLimit }
