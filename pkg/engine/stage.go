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

// A stage takes an event one step further, and reports what it decided. It
// runs in a worker of its trigger that has the event's lane to itself.
type stage func(ctx context.Context, j *task) result

// result is what follows a stage.
type result struct {
	next nextStep
	// wait is how long a paused lane waits.
	wait time.Duration
	// absorbs: it waits for events that the same stage merges.
	absorbing bool
}

type nextStep int

const (
	// proceed: the next stage takes the event.
	proceed nextStep = iota
	// finished: the trigger is done with the event.
	finished
	// paused: the lane waits, without a worker, and then enters the same stage
	// again.
	paused
	// stopped: the engine stops first; the event is returned.
	stopped
)

// handle takes j through the stages, from where it stopped.
func (r *runner) handle(ctx context.Context, j *task) result {
	for ; j.stage < len(r.stages); j.stage++ {
		if j.stage > 0 && r.isClosed() {
			return result{next: stopped}
		}
		if s := r.stages[j.stage](ctx, j); s.next != proceed {
			return s
		}
	}
	return result{next: finished}
}

// filter is the stage that asks the trigger's filter.
func (r *runner) filter(ctx context.Context, j *task) result {
	e := r.startEvaluation(j)
	v, err := match(ctx, r.trigger.Filter, *j.event())
	if !e.end() {
		return result{next: finished}
	}
	if err != nil {
		if ctx.Err() != nil {
			return result{next: stopped}
		}
		f := j.failure(r.trigger.TriggerRef, err)
		f.First, f.Last = e.start, e.start
		r.deadLetter(j, f, ReasonFilter)
		return result{next: finished}
	}
	d := r.newDecision(j.event(), Matched, "")
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
