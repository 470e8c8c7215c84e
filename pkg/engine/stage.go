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
	"time"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
)

// A stage is one step in the handling of an event, and reports its own decisions.
// It runs in a worker that has exclusive use of the task's key queue.
type stage func(ctx context.Context, t *task) result

// result is the result of a stage.
type result struct {
	next nextStep
	// wait is the duration of a pause.
	wait time.Duration
	// absorbing is true if the stage merges events that arrive during the pause.
	absorbing bool
}

type nextStep int

const (
	// proceed: continue with the next stage.
	proceed nextStep = iota
	// finished: the trigger is done with the event.
	finished
	// paused: the key queue waits, without a worker, and then runs the same stage
	// again.
	paused
	// stopped: the engine is stopping, and the event is requeued.
	stopped
)

// handle runs the stages of t, from the one where it paused.
func (r *runner) handle(ctx context.Context, t *task) result {
	for ; t.stage < len(r.stages); t.stage++ {
		if t.stage > 0 && r.isClosed() {
			return result{next: stopped}
		}
		if s := r.stages[t.stage](ctx, t); s.next != proceed {
			return s
		}
	}
	return result{next: finished}
}

// filter is the stage that evaluates the trigger's filter.
func (r *runner) filter(ctx context.Context, t *task) result {
	e := r.startEvaluation(t)
	v, err := match(ctx, r.trigger.Filter, *t.event())
	if !e.end() {
		return result{next: finished}
	}
	if err != nil {
		if ctx.Err() != nil {
			return result{next: stopped}
		}
		f := t.failure(r.trigger.TriggerRef, err)
		f.First, f.Last = e.start, e.start
		r.deadLetter(t, f, ReasonFilter)
		return result{next: finished}
	}
	d := r.newDecision(t.event(), Matched, "")
	d.Duration = d.Time.Sub(e.start)
	if !v.Match {
		d.Outcome, d.Reason, d.Path = Filtered, v.Reason, v.Path
	}
	r.report.decision(d)
	if !v.Match {
		return result{next: finished}
	}
	return result{next: proceed}
}

func match(ctx context.Context, f filter.Filter, ev event.Event) (v filter.Verdict, err error) {
	defer recoverAsError(&err)
	return f.Match(ctx, ev)
}
