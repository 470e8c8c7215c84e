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
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// A Filter selects events. It is safe for concurrent use.
type Filter interface {
	// Match returns whether ev matches. An error is neither.
	Match(ctx context.Context, ev event.Event) (event.Verdict, error)
}

// A Screener is a Filter that can tell cheaply, without blocking, that some events do not match.
type Screener interface {
	// Screen returns the verdict of Match with excluded, or false if only Match can tell.
	Screen(ev event.Event) (v event.Verdict, excluded bool)
}

// screener returns what can tell of an event, before it is queued, that the trigger's filter will
// not match; nil for nothing. With a debounce that comes first, the filter sees the last event of
// several only.
func screener(t Trigger) Screener {
	for _, s := range t.Stages {
		switch s := s.(type) {
		case SelfWrite, CrashGuard:
		case Debounce:
			if t.Policy.Debounce > 0 {
				return nil
			}
		case Match:
			f, _ := s.Filter.(Screener)
			return f
		default:
			return nil
		}
	}
	return nil
}

// Match is the stage that evaluates the trigger's filter.
type Match struct {
	Filter Filter
	// Tracker tracks evaluations that crash the process; nil for none.
	Tracker CrashTracker
}

// Handle implements Stage.
func (m Match) Handle(ctx context.Context, t *Task) Result {
	if res, loaded := t.load(ctx); !loaded {
		return res
	}
	e := startEvaluation(t, m.Tracker)
	v, err := m.match(ctx, *t.Event())
	if !e.end() {
		return Result{next: decided}
	}
	if err != nil {
		if ctx.Err() != nil {
			return stop()
		}
		return Result{next: finished, outcome: DeadLettered, reason: ReasonFilter, err: err, start: e.start}
	}
	if !v.Match {
		return Result{next: finished, outcome: Filtered, reason: v.Reason, path: v.Path, start: e.start}
	}
	d := t.runner.newDecision(t.Event(), Matched, "")
	d.Duration = d.Time.Sub(e.start)
	t.runner.report.decision(d)
	return Proceed()
}

func (m Match) match(ctx context.Context, ev event.Event) (v event.Verdict, err error) {
	defer panicerr.Recover(&err)
	return m.Filter.Match(ctx, ev)
}

// EvaluationLimit is the maximum duration of one evaluation of a filter.
const EvaluationLimit = 2 * time.Second

var errOverrun = fmt.Errorf("evaluation takes longer than %s", EvaluationLimit)

// evaluation watches one evaluation of a filter or a group.
type evaluation struct {
	task  *Task
	start time.Time

	// mu is held while a decision about the evaluation is reported.
	mu            sync.Mutex
	timer         clock.Timer
	endEvaluation func()
	returned      bool
	overran       bool
}

// startEvaluation watches an evaluation of CUE for the event of t. tracker may be nil.
func startEvaluation(t *Task, tracker CrashTracker) *evaluation {
	e := &evaluation{task: t, start: t.runner.clock.Now(), endEvaluation: func() {}}
	if tracker != nil {
		e.endEvaluation = tracker.Begin(t.Event().ID)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timer = after(t.runner.clock, &t.runner.active, EvaluationLimit/2, e.extendDeadline)
	return e
}

// extendDeadline starts the second half of the limit. If the whole process was
// paused, for example because another evaluation used up the memory, the first
// half has passed without progress, and innocent evaluations finish in the second
// half.
func (e *evaluation) extendDeadline() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.returned {
		e.timer = after(e.task.runner.clock, &e.task.runner.active, EvaluationLimit-EvaluationLimit/2, e.overrun)
	}
}

// overrun dead-letters the event and quarantines the trigger.
func (e *evaluation) overrun() {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.task.runner
	if e.returned || r.queue.isClosed() {
		return
	}
	r.changeQuarantine(1, 0)
	e.overran = true
	r.deadLetters.add(e.task, Result{outcome: DeadLettered, reason: ReasonQuarantined, err: errOverrun, start: e.start})
}

// end stops the timer when the filter has returned. inTime is false if the event
// was dead-lettered meanwhile.
func (e *evaluation) end() (inTime bool) {
	e.endEvaluation()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.returned = true
	e.timer.Stop()
	if e.overran {
		e.task.runner.changeQuarantine(-1, 0)
	}
	return !e.overran
}
