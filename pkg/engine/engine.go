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

// Package engine runs triggers: it takes events from sources, filters them, and
// runs actions.
//
// A source delivers an event to the runner of each of its triggers. A runner takes a
// slot for it and pushes it to a queue by key. Its workers take events from the queue
// and pass them through the trigger's stages: SelfWrite, Debounce, CrashGuard, Match,
// LoopGuard and Act. The result of a stage ends the handling, continues it, or has the
// key wait. The engine knows filters, actions, detectors and trackers by its own
// interfaces only.
//
// Guarantees:
//
//   - Every event that a source delivers is acknowledged exactly once, when each
//     subscribed trigger has filtered it, run its action successfully, or
//     dead-lettered it. Events that are still queued, waiting for a retry, or
//     running past the grace period when Run ends are not acknowledged; their
//     source delivers them again.
//   - Each trigger handles the events of one key one after the other, in the
//     order of delivery. Events of different keys, and different triggers, do not
//     wait for each other.
//   - A full queue slows the source. No event is dropped.
//   - The data of events in progress has a budget, which triggers share. An event
//     that exceeds its trigger's share keeps its place in the queue without data,
//     which its source reads again before the event is handled. If the source
//     cannot do that, the event waits at the source.
//   - A waiting retry holds no worker, and blocks only its own key.
//   - The context of an action ends at the trigger's timeout. An action that
//     ignores this keeps its worker and blocks its key until it returns, because
//     a second run must not overlap. Meanwhile each further timeout counts as one
//     failed attempt; after the last attempt the event is dead-lettered, so that
//     it does not hold back the source's resume point.
//   - A panic in a filter or action is a terminal error of that event.
//   - A dead-lettered event is acknowledged once the dead letter is stored. A
//     store that fails is retried, without blocking other events.
//   - A trigger is quarantined while an evaluation of its filter exceeds
//     EvaluationLimit, or hung actions hold all of its workers. The stuck event
//     is dead-lettered and the others wait; events that do not fit into the queue
//     are dead-lettered too, so that the trigger never blocks others.
//   - A trigger is quarantined, too, if an evaluation of it has crashed the process,
//     as reported by a CrashTracker: its events are dead-lettered.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/source"
)

// DefaultShutdownGrace is the time that running actions have to finish after the
// context of Run has ended.
const DefaultShutdownGrace = 20 * time.Second

// Trigger is a subscription to events, and the stages that handle them.
type Trigger struct {
	event.TriggerRef
	// SourceType is the registered name of the source. Triggers with the same
	// source type and equal Subscription keys share one source.
	SourceType   string
	Subscription source.Subscription
	// Stages handle each event in order; the last one is an *Act. They are used by
	// this trigger only.
	Stages []Stage
	Policy Policy
}

// Options configure an engine.
type Options struct {
	// Defaults is the policy for fields that a trigger leaves unset. Its own
	// unset fields default to the constants of this package.
	Defaults Policy
	// ShutdownGrace defaults to DefaultShutdownGrace.
	ShutdownGrace time.Duration
	// QueueBytes is the memory for the data of events in progress, which triggers
	// share. Defaults to DefaultQueueBytes.
	QueueBytes int64
	// FailFast ends Run at the first failure of a source, instead of restarting
	// the source.
	FailFast bool
	// DeadLetters stores dead-lettered events. If it is nil, they are only
	// logged.
	DeadLetters DeadLetters
	// Observer receives all decisions and failures. If it is nil, they are only
	// logged.
	Observer Observer
	// Clock is the clock for waits, ages and durations. Defaults to the real
	// clock. The deadline of an action's context always uses the real clock.
	Clock clock.WithDelayedExecution
}

// Engine runs triggers. Its methods are safe for concurrent use.
type Engine struct {
	options Options
	groups  []group

	mu      sync.Mutex
	runners []*runner
	running bool
	stop    <-chan struct{}
}

// group is the triggers that share one source.
type group struct {
	sourceType string
	key        string
	triggers   []Trigger
}

// New returns an engine for triggers. The error joins all invalid settings of all
// triggers.
func New(options Options, triggers []Trigger) (*Engine, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	options.QueueBytes = cmp.Or(options.QueueBytes, DefaultQueueBytes)
	if options.ShutdownGrace == 0 {
		options.ShutdownGrace = DefaultShutdownGrace
	}
	type identity struct{ sourceType, key string }
	var (
		e     = &Engine{options: options}
		index = map[identity]int{}
		named = map[event.TriggerRef]bool{}
		errs  []error
	)
	for _, t := range triggers {
		t.Policy = t.Policy.withDefaults(options.Defaults).withDefaults(defaultPolicy())
		if err := t.check(); err != nil {
			errs = append(errs, fmt.Errorf("trigger %q: %w", t, err))
			continue
		}
		if named[t.TriggerRef] {
			errs = append(errs, fmt.Errorf("trigger %q: the name is taken by another trigger", t))
			continue
		}
		named[t.TriggerRef] = true
		id := identity{t.SourceType, t.Subscription.Key()}
		i, ok := index[id]
		if !ok {
			i = len(e.groups)
			index[id] = i
			e.groups = append(e.groups, group{sourceType: id.sourceType, key: id.key})
		}
		e.groups[i].triggers = append(e.groups[i].triggers, t)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return e, nil
}

// Triggers returns the names of the engine's triggers.
func (e *Engine) Triggers() []event.TriggerRef {
	var all []event.TriggerRef
	for _, g := range e.groups {
		for _, t := range g.triggers {
			all = append(all, t.TriggerRef)
		}
	}
	return all
}

// WaitIdle blocks until no event is being handled, or ctx ends. Then each event that was
// delivered is done, or waits for the clock. It is for callers that deliver no events
// meanwhile, and whose clock stands still.
func (e *Engine) WaitIdle(ctx context.Context) error {
	e.mu.Lock()
	runners := e.runners
	e.mu.Unlock()
	for _, r := range runners {
		if err := r.active.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (t Trigger) check() error {
	var errs []error
	if t.Subscription == nil {
		errs = append(errs, errors.New("no subscription"))
	}
	if len(t.Stages) == 0 {
		errs = append(errs, errors.New("no stages"))
	} else if act, ok := t.Stages[len(t.Stages)-1].(*Act); !ok || len(act.steps) == 0 {
		errs = append(errs, errors.New("no action"))
	}
	return errors.Join(append(errs, t.Policy.check())...)
}
