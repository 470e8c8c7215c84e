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
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubevela/kube-trigger/pkg/event"
)

// Outcome is what became of an event at one trigger.
type Outcome string

// Suppressed, Filtered, Acted and GivenUp are final: the trigger is done with
// the event, or will be with the one that stands for it. So is Returned, until
// the event is delivered again.
const (
	// Suppressed: a policy, or what the trigger asked of the source, keeps the
	// event from the filter.
	Suppressed Outcome = "suppressed"
	// Queued: the trigger took the event, and handles it when its turn comes.
	Queued Outcome = "queued"
	// Filtered: the filter said no.
	Filtered Outcome = "filtered"
	// Matched: the filter said yes; the action follows.
	Matched Outcome = "matched"
	// Acted: the action succeeded.
	Succeeded Outcome = "acted"
	// Failed: an attempt of the action failed; another one follows.
	Failed Outcome = "failed"
	// Skipped: one of several actions failed for good, and may; the next one
	// follows.
	Skipped Outcome = "skipped"
	// GivenUp: no other attempt follows.
	DeadLettered Outcome = "given-up"
	// Returned: the engine stopped first. The event is not done.
	Requeued Outcome = "returned"
)

// Reasons that the engine itself gives. Subscriptions and filters give their
// own.
const (
	// ReasonSuspended: the trigger is suspended.
	ReasonSuspended = "Suspended"
	// ReasonOwnWrite: the trigger's own action caused the event.
	ReasonOwnWrite = "OwnWrite"
	// ReasonDebounced: a later event of the same key stands for this one.
	ReasonDebounced = "Debounced"
	// ReasonLoopBroken: the trigger's own actions keep leading to events of the
	// key.
	ReasonLoopBroken = "LoopBroken"
	// ReasonError: the action failed.
	ReasonError = "ActionFailed"
	// ReasonTimeout: the action timed out.
	ReasonTimeout = "TimedOut"
	// ReasonHung: the action does not stop at its timeout.
	ReasonHung = "Hung"
	// ReasonTerminal: the error is terminal.
	ReasonTerminal = "TerminalError"
	// ReasonExhausted: no retry is left.
	ReasonExhausted = "RetriesExhausted"
	// ReasonFilter: the filter could not be evaluated.
	ReasonFilter = "FilterFailed"
	// ReasonPanic: the action panicked.
	ReasonPanic = "Panic"
	// ReasonQuarantined: an evaluation of the trigger's CUE does not end, or ended
	// the process.
	ReasonQuarantined = "Quarantined"
	// ReasonStopped: the engine stopped.
	ReasonStopped = "Stopped"
)

// Decision is what a trigger decided about an event, and why. It holds nothing
// of the event's data.
type Decision struct {
	Trigger event.TriggerRef
	Event   EventRef
	Outcome Outcome
	// Reason says why, in one word of which there are few; empty for Queued,
	// Matched and Acted. That of Filtered is the filter's own, and a sentence.
	Reason string
	// Path is the part of the event that a filter decided by.
	Path string
	// Action is the one of several that failed: its name, or "actions[1]".
	Action string
	// Attempt counts the runs of the action, from 1; 0 where it did not run.
	Attempt int
	// RetryIn is the wait before the next attempt; only for Failed. It is 0
	// where the attempt still runs past its timeout.
	RetryIn time.Duration
	// Duration is that of the filter or attempt that was decided by.
	Duration time.Duration
	// Age is the time since the source saw the event.
	Age time.Duration
	// Err is set for Failed, Skipped and GivenUp.
	Err error
	// Time is when it was decided.
	Time time.Time
}

// EventRef names an event.
type EventRef struct {
	Source, Type, Cluster, Key, ID string
}

// An Observer is told every decision, in order for each trigger and key. It
// is called by many goroutines at once, and must not block.
type Observer interface {
	Observe(d Decision)
}

// A SourceObserver is an Observer that wants to know about sources, too.
type SourceObserver interface {
	ObserveSource(f SourceFailure)
}

// SourceFailure says that a source failed, and that it is started again after
// RetryIn.
type SourceFailure struct {
	Source   string
	Triggers []event.TriggerRef
	Err      error
	RetryIn  time.Duration
	Time     time.Time
}

// A DeadLetterObserver is an Observer that wants to know about dead letters, too.
type DeadLetterObserver interface {
	ObserveDeadLetter(b DeadLetterResult)
}

// DeadLetterResult says that a dead letter was stored, or could not be: then it is tried
// again after RetryIn, or, where that is 0, refused for good.
type DeadLetterResult struct {
	Trigger event.TriggerRef
	// ID is that of the letter in the store.
	ID      string
	Err     error
	RetryIn time.Duration
	Time    time.Time
}

// reporter logs decisions and passes them to observers.
type reporter struct {
	log       logr.Logger
	observers []Observer
}

func (r reporter) decision(d Decision) {
	r.logDecision(d)
	for _, o := range r.observers {
		o.Observe(d)
	}
}

func (r reporter) sourceFailure(f SourceFailure) {
	r.log.Error(f.Err, "Source failed", "source", f.Source, "triggers", f.Triggers, "retryIn", f.RetryIn)
	for _, o := range r.observers {
		if s, ok := o.(SourceObserver); ok {
			s.ObserveSource(f)
		}
	}
}

func (r reporter) deadLetter(b DeadLetterResult) {
	if b.Err != nil {
		r.log.Error(b.Err, "Dead letter not stored", "trigger", b.Trigger.String(), "retryIn", b.RetryIn)
	}
	for _, o := range r.observers {
		if l, ok := o.(DeadLetterObserver); ok {
			l.ObserveDeadLetter(b)
		}
	}
}

func (r reporter) quarantine(t event.TriggerRef, started bool) {
	if started {
		r.log.Error(nil, "Trigger quarantined: its CUE or action does not end", "trigger", t.String())
	} else {
		r.log.Info("Quarantine lifted", "trigger", t.String())
	}
}

func (r reporter) logDecision(d Decision) {
	log := r.log
	if d.Outcome != Succeeded && d.Outcome != Failed && d.Outcome != Skipped && d.Outcome != DeadLettered {
		log = log.V(1)
	}
	if !log.Enabled() && d.Outcome != DeadLettered {
		return
	}
	log = log.WithValues("trigger", d.Trigger.String(), "source", d.Event.Source,
		"type", d.Event.Type, "key", d.Event.Key, "event", d.Event.ID)
	if d.Event.Cluster != "" {
		log = log.WithValues("cluster", d.Event.Cluster)
	}
	switch d.Outcome {
	case Suppressed:
		log.Info("Event suppressed", "reason", d.Reason)
	case Queued:
		log.Info("Event queued")
	case Filtered:
		log.Info("Event filtered", "reason", d.Reason, "path", d.Path)
	case Matched:
		log.Info("Event matched")
	case Succeeded:
		log.Info("Acted on event", "attempt", d.Attempt, "duration", d.Duration, "age", d.Age)
	case Failed:
		log.Info("Action failed", "reason", d.Reason, "error", d.Err.Error(),
			"attempt", d.Attempt, "retryIn", d.RetryIn, "duration", d.Duration)
	case Skipped:
		log.Info("Action failed and was left out", "action", d.Action, "reason", d.Reason, "error", d.Err.Error(),
			"attempt", d.Attempt, "duration", d.Duration)
	case DeadLettered:
		var p *panicError
		if errors.As(d.Err, &p) {
			log = log.WithValues("stack", string(p.stack))
		}
		log.Error(d.Err, "Event given up", "reason", d.Reason, "attempts", d.Attempt)
	case Requeued:
		log.Info("Event returned", "reason", d.Reason)
	}
}
