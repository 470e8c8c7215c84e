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

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// sink takes the events of one source for the triggers that it serves.
type sink struct {
	runners []*runner
	stop    <-chan struct{}
	// all: the runners take what they did not subscribe to, too.
	ignoreSubscription bool
}

// Deliver implements source.Sink. It takes room from all triggers that want ev
// before any of them gets it, always in the same order, so that an event is
// taken as a whole and sources cannot lock each other out.
func (s *sink) Deliver(ctx context.Context, ev event.Event, done func()) error {
	select {
	case <-s.stop:
		return fmt.Errorf("deliver event %q: %w", ev.ID, errStopped)
	case <-ctx.Done():
		return fmt.Errorf("deliver event %q: %w", ev.ID, ctx.Err())
	default:
	}
	var d *delivery
	for _, r := range s.runners {
		if reason := s.skip(r, ev); reason != "" {
			r.report.decision(r.newDecision(&ev, Suppressed, string(reason)))
			continue
		}
		if d == nil {
			d = &delivery{event: ev, ack: &ack{done: done}}
		}
		if r.trigger.Policy.Suspend {
			r.report.decision(r.newDecision(&d.event, Suppressed, ReasonSuspended))
			continue
		}
		rejected, err := r.acquire(ctx, s.stop)
		if err != nil {
			for i := range d.tasks {
				d.tasks[i].runner.release(&d.tasks[i])
			}
			return fmt.Errorf("deliver event %q to trigger %q: %w", ev.ID, r.trigger, err)
		}
		d.tasks = append(d.tasks, task{delivery: d, runner: r, rejected: rejected})
	}
	if d == nil || len(d.tasks) == 0 {
		done()
		return nil
	}
	d.pending.Store(int32(len(d.tasks)))
	for i := range d.tasks {
		j := &d.tasks[i]
		if j.rejected {
			j.runner.reject(j)
			continue
		}
		j.runner.report.decision(j.runner.newDecision(&d.event, Queued, ""))
		j.runner.enqueue(j)
	}
	return nil
}

// skip returns why r does not take ev.
func (s *sink) skip(r *runner, ev event.Event) source.Reason {
	if s.ignoreSubscription {
		return ""
	}
	return r.trigger.Subscription.Skip(ev)
}
