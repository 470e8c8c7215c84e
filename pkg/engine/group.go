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

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/panicerr"
)

// A Grouping computes the group of an event. It is safe for concurrent use.
type Grouping interface {
	// Group returns the name of ev's group. If ok is false, the event belongs to none.
	// An error says nothing about the group.
	Group(ctx context.Context, ev event.Event) (name string, ok bool, err error)
}

// GroupBy is the stage that makes one key of the events of a group, so that the
// Debounce stage behind it merges them. The order within a group is that in which the
// events get here. Events without a group have the key of their object.
type GroupBy struct {
	Grouping Grouping
	// Tracker tracks evaluations that crash the process; nil for none.
	Tracker CrashTracker
}

// Prefixes of the keys of groups and of events without a group. They differ from the
// keys of objects.
const (
	groupPrefix   = "\x00group "
	noGroupPrefix = "\x00object "
)

// Handle implements Stage.
func (g GroupBy) Handle(ctx context.Context, t *Task) Result {
	if res, loaded := t.load(ctx); !loaded {
		return res
	}
	e := startEvaluation(t, g.Tracker)
	name, ok, err := g.group(ctx, *t.Event())
	if !e.end() {
		return Result{next: decided}
	}
	if err != nil {
		if ctx.Err() != nil {
			return stop()
		}
		return Result{next: finished, outcome: DeadLettered, reason: ReasonGroup, err: err, start: e.start}
	}
	key := noGroupPrefix + t.Event().OrderingKey()
	if ok {
		key = groupPrefix + name
	}
	d := *t.delivery.Load()
	d.event.Batch = event.NewBatch(d.event)
	t.delivery.Store(&d)
	return Result{next: moved, key: key}
}

func (g GroupBy) group(ctx context.Context, ev event.Event) (name string, ok bool, err error) {
	defer panicerr.Recover(&err)
	return g.Grouping.Group(ctx, ev)
}
