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

// Package engine joins sources, filters and actions.
//
// What it guarantees:
//
//   - An event that was taken is done exactly once: when every trigger that
//     wants it has filtered it, acted on it, or given it up. Events that are
//     still queued, waiting for a retry, or running past the grace when Run
//     ends are not done; their source delivers them again.
//   - Events of one key are handled one after the other, in the order of their
//     delivery, by each trigger. Events of different keys, and of different
//     triggers, do not wait for each other.
//   - A full trigger slows its source; nothing is dropped.
//   - A retry that waits holds no worker, and only its own key behind it.
//   - An action is told to stop at its timeout. One that does not stop keeps its
//     worker and holds back its key until it returns, since nothing can end it
//     and a second one must not run beside it. Meanwhile it uses up one attempt
//     for each further timeout that it overstays; when none is left, its event
//     is given up, so that it does not hold back the source's resume point.
//   - A panic in a filter or action is a terminal error of that event.
//   - An event that is given up is done only when it is a dead letter. While the
//     store fails, that is tried again, beside everything else.
//   - An evaluation of a filter that takes longer than EvaluationLimit quarantines
//     its trigger until it ends, as do hung actions that hold all of a trigger's
//     workers. The event is given up, others wait; those for which there is no
//     room are given up, too, so that other triggers never wait for this one.
//   - An event whose evaluation ended processes is given up, as a Witness knows.
package engine

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kubevela/kube-trigger/pkg/action"
	"github.com/kubevela/kube-trigger/pkg/event"
	"github.com/kubevela/kube-trigger/pkg/filter"
	"github.com/kubevela/kube-trigger/pkg/source"
	"github.com/kubevela/kube-trigger/pkg/store"
)

// DefaultShutdownGrace is what actions that run get to finish after the
// context of Run has ended.
const DefaultShutdownGrace = 20 * time.Second

// Trigger is what the engine runs: the events of one subscription, filtered,
// acted on.
type Trigger struct {
	event.TriggerRef
	// SourceType is the name under which the source is registered. Triggers of
	// one source type whose Subscriptions have equal Keys share one source.
	SourceType   string
	Subscription source.Subscription
	// Filter decides which events matter; nil matches all.
	Filter filter.Filter
	Action action.Action
	// LoopDetector knows which events triggers cause; nil where nothing does.
	LoopDetector LoopDetector
	// CrashTracker knows what the filter did to earlier processes; nil where nothing
	// does.
	CrashTracker CrashTracker
	Policy       Policy
}

// Options are what all triggers of an engine have in common.
type Options struct {
	// Defaults is the policy of triggers; what it leaves open are the
	// constants of this package.
	Defaults Policy
	// ShutdownGrace is DefaultShutdownGrace where it is 0.
	ShutdownGrace time.Duration
	// FailFast ends Run with the first failure of a source, instead of
	// starting that source again.
	FailFast bool
	// DeadLetters keep the events that triggers give up. Nil: they are logged only.
	DeadLetters store.DeadLetters
	// Observers are told every decision.
	Observers []Observer
	// Clock is what waits, ages and durations go by; the real one where it is
	// nil. The deadline of an action's context is always the real clock's.
	Clock clock.WithDelayedExecution
}

// Engine runs triggers.
type Engine struct {
	options Options
	groups  []group

	mu      sync.Mutex
	runners []*runner
	running bool
	// stop is closed when Run stops.
	stop <-chan struct{}
}

// group is the triggers that one source serves.
type group struct {
	sourceType string
	key        string
	triggers   []Trigger
}

// New returns an engine for triggers. The error names everything that is wrong
// with them.
func New(options Options, triggers []Trigger) (*Engine, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
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

// Triggers returns the triggers that the engine was made for.
func (e *Engine) Triggers() []event.TriggerRef {
	var all []event.TriggerRef
	for _, g := range e.groups {
		for _, t := range g.triggers {
			all = append(all, t.TriggerRef)
		}
	}
	return all
}

func (t Trigger) check() error {
	var errs []error
	if t.Subscription == nil {
		errs = append(errs, errors.New("no subscription"))
	}
	if t.Action == nil {
		errs = append(errs, errors.New("no action"))
	}
	return errors.Join(append(errs, t.Policy.check())...)
}
